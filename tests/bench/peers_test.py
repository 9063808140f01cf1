#!/usr/bin/env python3
"""Runs the comparison with other frameworks with stand-ins for all of them, gpuvae included: peers_test.py SOURCE"""
import argparse
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path
from unittest import mock

sys.dont_write_bytecode = True
SOURCE = Path(sys.argv.pop(1)) if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(SOURCE / "bench/peers"), str(SOURCE / "bench")]
sys.argv = [str(SOURCE / "bench/peers/run.py")]
import busy
import report
import rounds
import run
from peers import Peer
from workloads import WORKLOADS

OURS = 0.010  # seconds per epoch of gpuvae in these tests


class FakeBusyProcess:
    """Makes gpuvae 1.5 times slower while it runs."""

    runs = False

    @classmethod
    @contextlib.contextmanager
    def start(cls):
        cls.runs = True
        try:
            yield os.getpid()
        finally:
            cls.runs = False


def train_ours(_, __, ___, ____, epochs, *_____):
    return [OURS * (1.5 if FakeBusyProcess.runs else 1)] * epochs, [100.0] * epochs


class FakeProcess:
    """Takes `factor` times as long as gpuvae, with a random `spread`, and `slowdown` times as long beside a busy process."""

    def __init__(self, peer, config, *_):
        self.factor, self.spread, self.slowdown = map(float, (peer.variant + ",1").split(",")[:3])
        self.generator = random.Random(peer.name)
        self.ready = {"loss": 100.0, "setup_seconds": 1.0, "first_epoch_seconds": 2.0, "versions": {"fake": "1.0"}}
        self.child = mock.Mock(pid=1)

    def turn(self, epochs):
        factor = self.factor * (self.slowdown if FakeBusyProcess.runs else 1)
        seconds = [OURS * factor * self.generator.lognormvariate(0, self.spread) for _ in range(epochs)]
        return {"seconds": seconds, "losses": [100.0] * epochs, "notes": {}}

    def close(self):
        pass


class Peers(unittest.TestCase):
    def compare(self, peers, workload="keras-mnist", **options):
        """Returns the result and peers.md of a comparison with peers given as {name: "factor,spread"}."""
        options = argparse.Namespace(**{"device": "cpu", "rounds": 31, "minutes": 10.0, "threads": "1", "smoke": False,
                                        "only": None, "short": False, "busy": False, "busy_minutes": 1.0, "python": "", "timeout": 9, "bin": Path(".")} | options)
        with tempfile.TemporaryDirectory() as folder, \
                mock.patch.object(run, "all_peers", lambda: [Peer(n, "fake", v) for n, v in peers.items()]), \
                mock.patch.object(run, "Process", FakeProcess), mock.patch.object(run, "note"), \
                mock.patch.object(run.ours, "export", self.export), \
                mock.patch.object(busy, "busy_process", FakeBusyProcess.start), \
                mock.patch.object(run.ours, "train", train_ours):
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

    def test_two_fastest_beside_a_busy_process(self):
        """gpuvae takes 1.5 times as long, "a" 4 and "b" 0.5 times: the ratio of "a" to gpuvae rises from 2 to 16/3, that of
        "b" falls from 3 to 1. "slow" takes no part."""
        result, text = self.compare({"a": "2,0.002,4", "slow": "9,0.002,1", "b": "3,0.002,0.5"}, busy=True)
        self.assertIn(result["busy"]["rounds"], (7, 10, 14))
        systems = {s["name"]: s for s in result["busy"]["systems"]}
        self.assertEqual(set(systems), {"gpuvae", "a", "b"})
        for name, slowdown, ratio in (("gpuvae", 1.5, 1), ("a", 4, 16 / 3), ("b", 0.5, 1)):
            s = systems[name]
            self.assertTrue(abs(s["slowdown"] / slowdown - 1) <= 0.01, s)
            self.assertTrue(abs(s["ratio"] / ratio - 1) <= 0.01, s)
            self.assertTrue(s["ratio_interval"][0] <= s["ratio"] <= s["ratio_interval"][1], s)
            self.assertEqual([len(v) for v in s["samples_us"].values()], [result["busy"]["rounds"]] * 2)
        self.assertEqual({n: s["verdict"] for n, s in systems.items()}, {"gpuvae": "same", "a": "faster", "b": "same"})
        self.assertEqual([len(result["busy"]["machine"][k]) for k in ("alone", "busy")], [result["busy"]["rounds"]] * 2)
        # One step of 10 is an epoch of 10 ms: 1000 us alone, 1500 us beside the busy process.
        self.assertRegex(text, r"\| gpuvae \| 1,000 \| 1,500 \| 1\.50 \(1\.50 to 1\.50\) \| 1 \|  \|")
        self.assertRegex(text, r"\| a \| .* \| 4\.\d\d \(.* \| 5\.\d\d \(5\.\d\d to 5\.\d\d\) \| faster \|")

    def test_a_peer_that_fails_beside_the_busy_process(self):
        def turn(process, epochs):
            if FakeBusyProcess.runs and process.factor == 2:
                raise run.Trouble("failed", "out of memory")
            return {"seconds": [OURS * process.factor] * epochs, "losses": [100.0] * epochs, "notes": {}}

        with mock.patch.object(FakeProcess, "turn", turn):
            result, text = self.compare({"a": "2,0", "b": "3,0"}, busy=True)
        self.assertEqual([s["name"] for s in result["busy"]["systems"]], ["gpuvae", "b"])
        self.assertIn("| a | | failed: out of memory |", text)

    def test_waiting_is_expected_beside_a_busy_process(self):
        state = {"seconds": 1, "steal": 0, "others": 0, "waiting": 0.5}
        self.assertIn("waiting for a processor", rounds.disturbance(state, 2))
        self.assertEqual(rounds.disturbance(state, 2, shared=True), "")
        self.assertIn("other processes", rounds.disturbance(state | {"others": 1}, 2, shared=True))


class BusyProcess(unittest.TestCase):
    def test_computes_while_the_context_lasts(self):
        with busy.busy_process() as pid:
            before, deadline = rounds.counts([pid])[0], time.monotonic() + 20
            while rounds.counts([pid])[0] - before < 0.05 and time.monotonic() < deadline:
                time.sleep(0.01)
            self.assertGreaterEqual(rounds.counts([pid])[0] - before, 0.05)
            self.assertEqual(os.getpriority(os.PRIO_PROCESS, pid), os.getpriority(os.PRIO_PROCESS, 0))
        self.assertFalse(Path(f"/proc/{pid}").exists())

    def test_ends_with_a_killed_parent(self):
        code = "import busy, time\nwith busy.busy_process() as pid:\n    print(pid, flush=True)\n    time.sleep(60)"
        with subprocess.Popen([sys.executable, "-B", "-c", code], stdout=subprocess.PIPE, text=True,
                              env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path[:2])}) as parent:
            pid = int(parent.stdout.readline())
            os.kill(parent.pid, signal.SIGKILL)
        deadline = time.monotonic() + 20

        def runs():  # a process that no one waits for stays as a zombie
            try:
                return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
            except FileNotFoundError:
                return False

        while runs() and time.monotonic() < deadline:
            time.sleep(0.01)
        self.assertFalse(runs())


if __name__ == "__main__":
    unittest.main()
