#!/usr/bin/env python3
"""Runs the comparison with other frameworks with stand-ins for all of them, gpuvae included: peers_test.py SOURCE"""
import argparse
import json
import random
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

sys.dont_write_bytecode = True
SOURCE = Path(sys.argv.pop(1)) if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(SOURCE / "bench/peers"), str(SOURCE / "bench")]
sys.argv = [str(SOURCE / "bench/peers/run.py")]
import report
import run
from peers import Peer
from workloads import WORKLOADS

OURS = 0.010  # seconds per epoch of gpuvae in these tests


class FakeProcess:
    """Takes `factor` times as long as gpuvae, with a random `spread`."""

    def __init__(self, peer, config, *_):
        self.factor, self.spread = map(float, peer.variant.split(","))
        self.generator = random.Random(peer.name)
        self.ready = {"loss": 100.0, "setup_seconds": 1.0, "first_epoch_seconds": 2.0, "versions": {"fake": "1.0"}}
        self.child = mock.Mock(pid=1)

    def turn(self, epochs):
        seconds = [OURS * self.factor * self.generator.lognormvariate(0, self.spread) for _ in range(epochs)]
        return {"seconds": seconds, "losses": [100.0] * epochs, "notes": {}}

    def close(self):
        pass


class Peers(unittest.TestCase):
    def compare(self, peers, workload="keras-mnist", **options):
        """Returns the result and peers.md of a comparison with peers given as {name: "factor,spread"}."""
        options = argparse.Namespace(**{"device": "cpu", "rounds": 31, "minutes": 10.0, "threads": "1", "smoke": False,
                                        "only": None, "short": False, "python": "", "timeout": 9, "bin": Path(".")} | options)
        with tempfile.TemporaryDirectory() as folder, \
                mock.patch.object(run, "all_peers", lambda: [Peer(n, "fake", v) for n, v in peers.items()]), \
                mock.patch.object(run, "Process", FakeProcess), mock.patch.object(run, "note"), \
                mock.patch.object(run.ours, "export", self.export), \
                mock.patch.object(run.ours, "train", lambda *a: ([OURS] * a[4], [100.0] * a[4])):
            result = run.Contest(WORKLOADS[workload], options, Path(folder)).run()
            text = report.write(Path(folder), {"machine": run.machine(options), "results": [result]})
            self.assertEqual(json.loads((Path(folder) / "peers.json").read_text())["results"][0]["rounds"], result["rounds"])
        return result, text

    @staticmethod
    def export(_, __, path):
        path.write_bytes(bytes(16 + 784 * 1000))
        return "stand-ins"

    def test_known_ratios_end_the_rounds(self):
        result, text = self.compare({"slow": "1.5,0.002", "equal": "1,0.002", "fast": "0.5,0.002"})
        self.assertIn(result["rounds"], (7, 10, 14))  # 7, unless the first values look correlated by chance
        verdicts = {p["name"]: p["verdict"] for p in result["peers"]}
        self.assertEqual(verdicts, {"slow": "faster", "equal": "same", "fast": "slower"})
        for peer in result["peers"]:
            low, high = peer["ratio_interval"]
            self.assertTrue(low <= peer["ratio"]["median"] <= high, peer)
            self.assertEqual(len(peer["rounds"]), result["rounds"])
        self.assertEqual(len(result["machine"]), result["rounds"])
        self.assertEqual(result["disturbed_rounds"], sum(1 for m in result["machine"] if m["disturbed"]))
        self.assertIn(f"{result['rounds']} rounds, of which {result['disturbed_rounds']} were disturbed", text)
        self.assertRegex(text, r"\| slow \| 1 \| .* \| 1\.\d\d \(1\.\d\d to 1\.\d\d\) \| faster \|")

    def test_noise_is_undecided(self):
        result, text = self.compare({"noisy": "1.02,0.5"}, rounds=12)
        self.assertEqual(result["rounds"], 12)
        self.assertEqual(result["peers"][0]["verdict"], "undecided")
        self.assertIn("| undecided |", text)

    def test_only_the_fastest_three_must_be_known(self):
        quiet = {str(i): f"{i},0.002" for i in (1, 2, 3)}
        self.assertEqual(self.compare(quiet | {"slow and noisy": "9,0.3"})[0]["rounds"], 7)
        self.assertEqual(self.compare(quiet | {"fast and noisy": "0.5,0.3"}, rounds=15)[0]["rounds"], 15)

    def test_time_is_up(self):
        """The rounds end as soon as the losses of the judged epoch can be compared."""
        self.assertEqual(self.compare({"noisy": "1,0.5"}, minutes=0)[0]["rounds"], 2)
        self.assertEqual(self.compare({"noisy": "1,0.5"}, workload="flex-mnist", minutes=0)[0]["rounds"], 4)
        few = self.compare({"quiet": "2,0.001"}, rounds=1)[0]
        self.assertEqual((few["rounds"], few["peers"][0]["verdict"]), (1, "undecided"))
        self.assertIsNone(few["peers"][0]["ratio_interval"])


if __name__ == "__main__":
    unittest.main()
