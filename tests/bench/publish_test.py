#!/usr/bin/env python3
"""Tests which runs bench/publish.py publishes, and the rules of bench/rounds.py: publish_test.py SOURCE"""
import json
import random
import sys
import tempfile
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
SOURCE = Path(sys.argv.pop(1)) if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(SOURCE / "bench"))
import publish
import rounds


def report(**environment):
    """A report of a full, undisturbed run with one step and two operations."""
    operation = {"operation": "bce", "size": "100x784", "pass": "training", "large": False, "cold": False, "seconds": 1e-5,
                 "rounds": 50, "disturbed": 1, "speedup": 2.0, "speedup_interval": [1.9, 2.1], "verdict": "faster"}
    return {"environment": {"device": "cpu", "device_description": "Some CPU, 2 threads", "compiler": "GNU 12",
                            "commit": "abc1234", "date": "2026-12-24 10:00 UTC", "command": "bench/report",
                            "partial": False} | environment,
            "steps": [{"preset": "keras-mnist", "executor": "eager", "us": 495.4, "bare_us": 454.0, "ratio": 1.0912,
                       "ratio_interval": [1.0801, 1.1013], "verdict": "slower", "rounds": 20, "disturbed": 2,
                       "images_per_second": 201857.0, "real_data": True}],
            "epochs": [], "breakdown": [],
            "operations": [operation, operation | {"cold": True, "verdict": "undecided", "speedup_interval": [0.9, 2.1]}]}


class Publish(unittest.TestCase):
    PAGE = f"# Results\n\nBefore.\n\n{publish.BEGIN}\nold\n{publish.END}\n\nAfter.\n"

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.out, self.bench = Path(self.folder.name) / "out", Path(self.folder.name) / "bench"
        self.out.mkdir()
        self.bench.mkdir()
        self.page = self.bench / "RESULTS.md"
        self.page.write_text(self.PAGE)
        (self.out / "report.md").write_text("# Benchmarks\n")
        (self.out / "roofline.svg").write_text("<svg/>")

    def publish(self, what):
        (self.out / "report.json").write_text(json.dumps(what))
        return publish.publish(self.out, self.bench)

    def assert_unchanged(self, what, reason):
        said = self.publish(what)
        self.assertIn(reason, said)
        self.assertEqual(said.count("\n"), 0)
        self.assertEqual(self.page.read_text(), self.PAGE)
        self.assertFalse((self.bench / "results").exists())

    def test_full_quiet_run(self):
        self.assertIn("describe this run", self.publish(report()))
        text = self.page.read_text()
        self.assertTrue(text.startswith("# Results\n\nBefore.\n\n") and text.endswith("\n\nAfter.\n"), text)
        self.assertNotIn("\nold\n", text)
        self.assertIn("| keras-mnist | eager | 495 | 454 | 1.091 (1.080 to 1.101) | slower | 201,857 |", text)
        self.assertIn("| sizes of the presets, caches warm | 1 | 0 | 0 | 0 |", text)
        self.assertIn("| sizes of the presets, caches cold | 0 | 0 | 0 | 1 |", text)
        self.assertIn("4 of 120 rounds were disturbed", text)
        self.assertIn("![Roofline](results/bench-cpu-2026-12-24/roofline.svg)", text)
        self.assertNotIn("step-ratio.svg", text)
        self.assertEqual((self.bench / "results/bench-cpu-2026-12-24/report.md").read_text(), "# Benchmarks\n")
        self.publish(report(command="again"))  # results of an earlier run of the same day stay
        self.assertIn("`again`", self.page.read_text())
        self.assertIn("results/bench-cpu-2026-12-24-2/", self.page.read_text())
        self.assertTrue((self.bench / "results/bench-cpu-2026-12-24/report.json").exists())

    def test_runs_that_are_not_published(self):
        self.assert_unchanged(report(partial=True), "did not measure everything")
        self.assert_unchanged(report(commit="abc1234-dirty"), "commit all changes first")
        self.assert_unchanged(report(commit="unknown"), "the version is unknown")
        self.assert_unchanged(report() | {"steps": []}, "no training steps")
        disturbed = report()
        disturbed["steps"][0]["disturbed"] = 20
        self.assert_unchanged(disturbed, "18% of the rounds were disturbed")
        built_in = report()
        built_in["steps"][0]["real_data"] = False
        self.assert_unchanged(built_in, "built-in data")
        failed = report()
        failed["operations"].append({"operation": "kl", "failure": "out of memory"})
        self.assert_unchanged(failed, "operations failed: kl")

    def test_page_without_its_section(self):
        for text in ("# Results\n", publish.END + "\n" + publish.BEGIN, 2 * self.PAGE):
            self.page.write_text(text)
            self.assertIn("does not contain the lines", self.publish(report()))
            self.assertEqual(self.page.read_text(), text)


class Rounds(unittest.TestCase):
    def test_ranks(self):
        """The ranks of the usual tables of the sign test, as in statistics_test.cpp."""
        self.assertEqual([rounds.rank(n) for n in (0, 5, 6, 8, 9, 20, 51, 100, 201)], [0, 0, 1, 1, 2, 6, 19, 40, 87])

    def test_interval(self):
        self.assertEqual(rounds.median_interval([1, 20, 2, 19, 3, 18, 4, 17, 5, 16, 6, 15, 7, 14, 8, 13, 9, 12, 10, 11]),
                         [6, 15])
        self.assertIsNone(rounds.median_interval([1, 2, 3, 4, 5]))
        self.assertIsNone(rounds.median_interval([1, 2, 3, 1, 2, 3, float("nan")]))
        self.assertIsNone(rounds.median_interval([]))
        # A machine that is fast and then slow gives few independent values: at most a wide interval.
        self.assertIsNone(rounds.median_interval([1.0] * 20 + [2.0] * 20))

    def test_coverage(self):
        generator, covered, repeats = random.Random(1), 0, 2000
        for _ in range(repeats):
            interval = rounds.median_interval([generator.expovariate(1) for _ in range(31)])
            covered += interval is not None and interval[0] <= 0.6931471805599453 <= interval[1]
        self.assertGreater(covered, 0.93 * repeats)
        self.assertLess(covered, 0.99 * repeats)

    def test_verdicts(self):
        for low, high, expected in ((1.01, 1.03, "faster"), (0.5, 0.99, "slower"), (0.98, 1.02, "same"),
                                    (0.97, 1.01, "undecided"), (1, 1.5, "undecided")):
            self.assertEqual(rounds.verdict([low, high]), expected)
        self.assertEqual(rounds.verdict(None), "undecided")
        self.assertTrue(rounds.is_narrow([2, 2.08]))
        self.assertFalse(rounds.is_narrow([2, 2.09]) or rounds.is_narrow(None))
        self.assertEqual([n for n in range(40) if rounds.is_look(n)], [7, 10, 14, 19, 26, 35])

    def test_disturbance(self):
        quiet = {"seconds": 1, "steal": 0.019, "others": 0.099, "waiting": 0.099}
        self.assertEqual(rounds.disturbance(quiet, 2), "")
        self.assertEqual(rounds.disturbance(quiet | {"steal": 0.06}, 2), "steal time 3 %")
        self.assertEqual(rounds.disturbance(quiet | {"others": 0.5}, 2), "other processes 25 %")
        self.assertEqual(rounds.disturbance(quiet | {"waiting": 0.12}, 2), "waiting for a processor 6 %")

    def test_own_work_does_not_count_as_other_processes(self):
        begin = rounds.snapshot()
        while rounds.time.monotonic() - begin.wall < 0.5:
            pass
        state = rounds.between(begin, rounds.snapshot())
        self.assertGreaterEqual(state["seconds"], 0.5)
        self.assertGreaterEqual(rounds.snapshot().own - begin.own, 0.05)
        self.assertEqual(set(state), {"seconds", "steal", "others", "switches", "waiting", "load", "megahertz", "disturbed"})


if __name__ == "__main__":
    unittest.main()
