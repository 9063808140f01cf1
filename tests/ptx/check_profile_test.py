#!/usr/bin/env python3
"""Tests check_profile.py: regressions fail, improvements are listed, and --update writes the table."""
import copy
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

SCRIPT = pathlib.Path(__file__).with_name("check_profile.py")
KERNEL = {
    "launches": 4, "warp_instructions": 4000, "barriers": 8, "worst_bank_conflict": 2, "by_class": {"integer": 4000},
    "global_load": {"requests": 40, "bytes": 5120, "sectors": 200, "least": 160},
    "shared_store": {"requests": 10, "bytes": 1280, "passes": 20, "least": 10},
}


class CheckProfile(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.table = pathlib.Path(self.folder.name) / "profile.json"
        self.check({"a": KERNEL}, "--update")

    def check(self, kernels, *options):
        report = pathlib.Path(self.folder.name) / "report.json"
        report.write_text(json.dumps({"kernels": kernels}))
        return subprocess.run([sys.executable, SCRIPT, report, "--table", self.table, *options], capture_output=True,
                              text=True, check=False)

    def changed(self, *path, by):
        kernel = copy.deepcopy(KERNEL)
        place = kernel
        for name in path[:-1]:
            place = place[name]
        place[path[-1]] = round(place[path[-1]] * by)
        return {"a": kernel}

    def test_update_writes_means_and_ratios(self):
        limits = json.loads(self.table.read_text())["kernels"]["a"]
        self.assertEqual(limits["warp_instructions"], 1000)
        self.assertEqual(limits["global_load_sectors"], 50)
        self.assertEqual(limits["global_load_sectors_over_least"], 1.25)
        self.assertEqual(limits["shared_store_passes_over_least"], 2)

    def test_same_counters_pass(self):
        result = self.check({"a": KERNEL})
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(result.stdout, "1 kernels compared: 0 problems, 0 improvements\n")

    def test_small_growth_passes(self):
        self.assertEqual(self.check(self.changed("warp_instructions", by=1.019)).returncode, 0)

    def test_growth_fails(self):
        for path in (("warp_instructions",), ("barriers",), ("worst_bank_conflict",), ("global_load", "sectors"),
                     ("shared_store", "passes")):
            result = self.check(self.changed(*path, by=2))
            self.assertEqual(result.returncode, 1, path)
            self.assertIn("[check_profile] a: expected ", result.stderr)

    def test_new_local_memory_fails(self):
        kernel = dict(KERNEL, local={"requests": 1, "bytes": 128, "transactions": 0, "least": 0})
        result = self.check({"a": kernel})
        self.assertEqual(result.returncode, 1)
        self.assertIn("expected local_bytes of at most 0, got 32", result.stderr)

    def test_improvement_is_listed(self):
        result = self.check(self.changed("global_load", "sectors", by=0.8))
        self.assertEqual(result.returncode, 0)
        self.assertIn("a: global_load_sectors improved from 50 to 40\n", result.stdout)

    def test_missing_and_unknown_kernels_fail(self):
        self.assertIn("expected kernel a in the report, got none", self.check({}).stderr)
        result = self.check({"a": KERNEL, "b": KERNEL})
        self.assertEqual(result.returncode, 1)
        self.assertIn("expected a limit for kernel b, got none", result.stderr)


if __name__ == "__main__":
    unittest.main()
