#!/usr/bin/env python3
"""Runs bench/time_to_loss with stand-ins for gpuvae's programs and for the peers: time_to_loss_test.py SOURCE"""
import contextlib
import importlib.machinery
import importlib.util
import io
import json
import math
import os
import sys
import tempfile
import time
import unittest
from pathlib import Path
from unittest import mock

sys.dont_write_bytecode = True
SOURCE = Path(sys.argv.pop(1)).resolve() if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent.parent
loader = importlib.machinery.SourceFileLoader("time_to_loss", str(SOURCE / "bench/time_to_loss"))
time_to_loss = importlib.util.module_from_spec(importlib.util.spec_from_loader("time_to_loss", loader))
loader.exec_module(time_to_loss)
import loss_report  # noqa: E402
import loss_run  # noqa: E402
from peers import Peer  # noqa: E402

# The validation loss of epoch e is 100 - 10 e, plus the seed. BEHAVIOUR changes that.
PROGRAM = """#!{python}
import os, sys, time
from pathlib import Path
flags = dict(zip(sys.argv[1::2], sys.argv[2::2]))
folder, seed, behaviour = Path(flags["--out"]), int(flags["--seed"]), os.environ.get("BEHAVIOUR", "")
with open(os.environ["CALLS"], "a") as calls:
    calls.write("%d %d\\n" % (seed, os.getpid()))
if behaviour == "fails" and seed == 1:
    sys.exit("mnist_vae: no such luck")
assert flags["--preset"] == "keras-mnist" and flags["--data-dir"] == os.environ["GPUVAE_DATA_DIR"], flags
folder.mkdir(parents=True)
with open(folder / "metrics.csv", "w") as file:
    file.write("# a comment\\nepoch,train_loss,val_loss\\n")
    for epoch in range(1, int(flags["--epochs"]) + 1):
        time.sleep(0.02)
        print("epoch 1/3   75%  loss 196.36", file=sys.stderr)
        loss = {{"nan": float("nan"), "flat": 90}}.get(behaviour, 100 - 10 * epoch + seed)
        file.write("%d,%g,%g\\n" % (epoch, loss + 1, loss))
        file.flush()
        print("epoch %d" % epoch, file=sys.stderr, flush=True)
        if behaviour == "hangs":
            time.sleep(60)
time.sleep(60)  # the figures
"""
DATA = """#!{python}
import sys
for path in sys.argv[3:]:
    open(path, "wb").close()
print("MNIST from a folder")
"""
PEER = """
import child
def versions():
    return {"fake": "1.0"}
def training(config):
    assert config["validation_file"].endswith("mnist-validation.idx") and config["optimizer"]["kind"] == "rmsprop", config
    if config["variant"] == "skips":
        raise child.Skip("no such device")
    if config["variant"] == "fails":
        raise MemoryError("too small")
    epochs = 0
    def epoch():
        nonlocal epochs
        epochs += 1
        return 0
    return epoch, lambda: 100 - float(config["variant"]) * epochs + config["seed"]
"""


class TimeToLoss(unittest.TestCase):
    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.bin, self.out, self.calls = self.folder / "bin", self.folder / "out", self.folder / "calls"
        for name, text in (("bin/mnist_vae", PROGRAM), ("bin/peers_data", DATA)):
            (self.folder / name).parent.mkdir(exist_ok=True)
            (self.folder / name).write_text(text.format(python=sys.executable))
            (self.folder / name).chmod(0o755)
        (self.folder / "fake_peer.py").write_text(PEER)
        (self.folder / "train-images").touch()
        self.enterContext(mock.patch.dict(os.environ, CALLS=str(self.calls), GPUVAE_DATA_DIR=str(self.folder),
                                          PYTHONPATH=str(self.folder), GPUVAE_COMMIT="abc"))

    def enterContext(self, context):  # unittest has it from Python 3.11 on
        value = context.__enter__()
        self.addCleanup(context.__exit__, None, None, None)
        return value

    def measure(self, *flags, target=75, peers=(), behaviour=""):
        """Returns the results of the preset keras-mnist, and the page."""
        stand_ins = tuple(Peer(name, "fake_peer", variant) for name, variant in peers)
        text, errors = io.StringIO(), io.StringIO()
        argv = ["time_to_loss", "--presets", "keras-mnist", "--target", str(target), "--bin", str(self.bin), "--out",
                str(self.out), "--python", sys.executable, "--peers", ".", *flags]
        with mock.patch.object(sys, "argv", argv), mock.patch.object(time_to_loss, "PEERS", stand_ins), \
                mock.patch.dict(os.environ, BEHAVIOUR=behaviour), contextlib.redirect_stdout(text), \
                contextlib.redirect_stderr(errors):
            time_to_loss.main()
        results = json.loads((self.out / "time-to-loss.json").read_text(), parse_constant=self.fail)
        self.assertEqual(text.getvalue(), (self.out / "time-to-loss.md").read_text())
        return results["presets"][0], text.getvalue()

    def seeds_called(self):
        return [int(line.split()[0]) for line in self.calls.read_text().splitlines()]

    def test_stops_at_the_first_loss_that_is_low_enough(self):
        preset, page = self.measure("--seeds", "6", peers=(("quick", "30"), ("slow", "5")))
        runs = {r["seed"]: r["systems"] for r in preset["rounds"]}
        self.assertEqual({s: {n: run["epochs"] for n, run in systems.items()} for s, systems in runs.items()},
                         {0: {"gpuvae": 3, "quick": 1, "slow": 5}, 1: {"gpuvae": 3, "quick": 1, "slow": 6},
                          2: {"gpuvae": 3, "quick": 1, "slow": 6}, 3: {"gpuvae": 3, "quick": 1, "slow": 6},
                          4: {"gpuvae": 3, "quick": 1, "slow": 6}, 5: {"gpuvae": 3, "quick": 1, "slow": 6}})
        self.assertEqual([l for _, l in runs[2]["gpuvae"]["history"]], [92, 82, 72])
        for systems in runs.values():
            for run in systems.values():
                seconds = [s for s, _ in run["history"]]
                self.assertEqual(seconds, sorted(seconds))
                self.assertEqual(run["seconds"], seconds[-1])
            self.assertGreater(systems["gpuvae"]["seconds"], 3 * 0.02)
        for pid in (int(line.split()[1]) for line in self.calls.read_text().splitlines()):
            self.assertFalse(Path(f"/proc/{pid}").exists())
        rows = {row["name"]: row for row in preset["summary"]}
        ours = sorted(systems["gpuvae"]["seconds"] for systems in runs.values())
        self.assertAlmostEqual(rows["gpuvae"]["median_seconds"], (ours[2] + ours[3]) / 2)
        # Six values: all of them, or no interval if the times look correlated by chance.
        self.assertIn(rows["gpuvae"]["interval"], ([ours[0], ours[-1]], None))
        self.assertEqual([(row["reached"], row["runs"]) for row in rows.values()], [(6, 6)] * 3)
        self.assertEqual(preset["versions"], {"fake": "1.0"})
        self.assertIn("Validation loss 75 (--target)", page)

    def test_loss_out_of_reach(self):
        preset, page = self.measure("--seeds", "1", target=-1e9, peers=(("peer", "20"),))
        run = preset["rounds"][0]["systems"]["gpuvae"]
        self.assertEqual((run["seconds"], run["epochs"], run["best_loss"], run["out_of_time"]), (None, 6, 40, False))
        self.assertIn("| gpuvae | 0 of 1 | not reached (no interval) | 6 | 40 | 1 |  |", page)
        self.assertIn("| peer | 0 of 1 | not reached (no interval) | 6 | -20 | unknown | undecided |", page)

    def test_nan_reaches_nothing(self):
        preset, page = self.measure("--seeds", "1", behaviour="nan")
        run = preset["rounds"][0]["systems"]["gpuvae"]
        self.assertEqual((run["seconds"], run["epochs"], run["best_loss"]), (None, 6, None))
        self.assertIn("| gpuvae | 0 of 1 | not reached (no interval) | 6 | none | 1 |  |", page)

    def test_out_of_time_three_times(self):
        start = time.monotonic()
        preset, page = self.measure("--seeds", "5", "--limit", "0.7", target=-200, behaviour="hangs")
        self.assertEqual([len(r["systems"]) for r in preset["rounds"]], [1, 1, 1, 0, 0])
        self.assertTrue(all(r["systems"]["gpuvae"]["out_of_time"] for r in preset["rounds"][:3]))
        self.assertLess(time.monotonic() - start, 30)
        self.assertIn("| gpuvae | 0 of 3 | not reached", page)

    def test_continues_with_the_next_seed(self):
        self.measure("--seeds", "2")
        preset, _ = self.measure("--seeds", "1..3")
        self.assertEqual(self.seeds_called(), [0, 1, 2, 3])
        self.assertEqual([r["seed"] for r in preset["rounds"]], [0, 1, 2, 3])
        with self.assertRaisesRegex(ValueError, r"expected the target of the saved results \(75.0\), got 80.0"):
            self.measure("--seeds", "5", target=80)
        with mock.patch.dict(os.environ, GPUVAE_COMMIT="def"):
            with self.assertRaisesRegex(ValueError, "other settings or another version.*--restart discards"):
                self.measure("--seeds", "5")
            self.assertEqual(self.seeds_called(), [0, 1, 2, 3])
            preset, _ = self.measure("--seeds", "1", "--restart")
        self.assertEqual([r["seed"] for r in preset["rounds"]], [0])

    def test_failures(self):
        with self.assertRaisesRegex(RuntimeError, "keras-mnist, seed 1: ended with status 1: mnist_vae: no such luck"):
            self.measure("--seeds", "3", behaviour="fails")
        self.measure("--seeds", "2")  # the first round was saved
        self.assertEqual(self.seeds_called(), [0, 1, 1])
        self.out = self.folder / "other"
        preset, page = self.measure("--seeds", "2", peers=(("a", "skips"), ("b", "fails"), ("c", "50")))
        self.assertEqual([sorted(r["systems"]) for r in preset["rounds"]], [["c", "gpuvae"]] * 2)
        self.assertIn("| a | skipped: no such device |", page)
        self.assertIn("| b | failed: MemoryError: too small |", page)

    def test_built_in_data_need_a_target(self):
        with mock.patch.object(time_to_loss.ours, "data_folder", lambda _: "builtin"), \
                mock.patch.object(sys, "argv", ["time_to_loss", "--presets", "keras-mnist", "--no-peers", "--bin",
                                                str(self.bin), "--out", str(self.out)]):
            with self.assertRaisesRegex(ValueError, "expected the original data"):
                time_to_loss.main()


class Summary(unittest.TestCase):
    @staticmethod
    def rounds(ours, theirs):
        run = lambda s: {"seconds": s, "epochs": 3, "best_loss": 1.0}
        return [{"systems": {"gpuvae": run(a), "peer": run(b)}} for a, b in zip(ours, theirs)]

    def test_runs_that_did_not_arrive_count_as_infinitely_long(self):
        ours, theirs = [1, 2, 3, 4, 5, 6, 7, 8], [30, 20, None, None, 10, None, None, None]
        row = loss_report.summary("peer", self.rounds(ours, theirs))
        self.assertEqual((row["reached"], row["median_seconds"], row["interval"]), (3, None, [10, None]))
        self.assertEqual((row["ratio"], row["ratio_interval"], row["verdict"]), (None, [2, None], "faster"))
        self.assertEqual(loss_report.seconds_text(row), "not reached (10 to not reached)")
        self.assertEqual(loss_report.ratio_text(row), "gpuvae alone reached it")

    def test_median_and_verdict(self):
        ours = [1 + 0.01 * (i * 7 % 20) for i in range(20)]
        row = loss_report.summary("peer", self.rounds(ours, [2 * s for s in ours]))
        self.assertAlmostEqual(row["median_seconds"], 2.19)
        # The sixth smallest and the sixth largest of 20 values enclose the median with a probability of 95.9 %.
        self.assertTrue(math.isclose(row["interval"][0], 2.1) and math.isclose(row["interval"][1], 2.28), row)
        self.assertEqual((row["ratio"], row["ratio_interval"], row["verdict"]), (2, [2, 2], "faster"))

    def test_neither_arrived(self):
        row = loss_report.summary("peer", self.rounds([1] * 9 + [None], [2] * 9 + [None]))
        self.assertEqual((row["ratio"], row["ratio_interval"], row["verdict"]), (None, None, "undecided"))


class Targets(unittest.TestCase):
    def test_published_losses(self):
        expected = {"keras-mnist": (165.7955, 3), "flex-mnist": (152.2894, 50), "flex-frey": (-581.30, 30),
                    "keras-frey": (0.642, 100), "tf-mnist": (91.4, 30), "theano-mnist": (159.6, 500)}
        self.assertEqual(set(time_to_loss.PUBLISHED), set(expected))
        for preset, (loss, epochs) in expected.items():
            target, source, last = time_to_loss.published(preset)
            self.assertEqual((target, last), (loss, epochs))
            self.assertIn("printed after" if preset in ("keras-mnist", "flex-mnist", "flex-frey") else "band", source)

    def test_seeds(self):
        self.assertEqual(time_to_loss.seeds_of("3"), [0, 1, 2])
        self.assertEqual(time_to_loss.seeds_of("5..7"), [5, 6, 7])
        for wrong in ("0", "x", "7..5", "-1"):
            with self.assertRaises(time_to_loss.argparse.ArgumentTypeError):
                time_to_loss.seeds_of(wrong)


if __name__ == "__main__":
    unittest.main()
