#!/usr/bin/env python3
"""Times the same training in gpuvae, PyTorch, libtorch, JAX and Keras, which take turns, and prints tables of ratios.
`make bench-peers` builds gpuvae and runs this script.

Every peer is a separate process (child.py) that has completed its warm-up and waits. In each round every peer, and
gpuvae, trains some epochs in one turn; the order of the turns is random. The measured time is the wall time of an
epoch: the shuffled gather from the resident u8 images, the steps, and one reading of the loss. A ratio compares the
medians of one round. Rounds are repeated until the 95 % intervals of the ratios of the three fastest peers are narrow
(ends within 4 %), or until --rounds or --minutes are reached. The verdict on each peer is faster, slower, same (interval
inside 1 +- 2 %) or undecided. Rounds in which the machine was disturbed are marked and counted. A peer whose training loss is outside the band around
ours after the same number of epochs does not train the same model and is not ranked. --busy then repeats the rounds with
gpuvae and the two fastest peers, each round twice: alone and beside one busy process (busy.py). On a CPU each peer first tries several numbers of threads and keeps the
fastest; gpuvae runs with its default.
"""
import argparse
import json
import os
import random
import re
import shlex
import statistics
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

sys.dont_write_bytecode = True  # leaves no bytecode in the source tree

sys.path.insert(1, str(Path(__file__).resolve().parent.parent))

import busy
import ours
import report
import rounds
from peers import HERE, Process, Trouble, all_peers
from workloads import WORKLOADS

ROOT = HERE.parent.parent


def note(text):
    print(f"  {text}", file=sys.stderr, flush=True)


def thread_counts(asked, device):
    everything = len(os.sched_getaffinity(0))
    if device != "cpu":
        return [everything]
    return sorted({min(int(t), everything) for t in asked.split(",")} if asked else {1, min(2, everything), everything})


class Contest:
    """One workload: gpuvae and all peers that this machine can run."""

    def __init__(self, workload, options, folder):
        self.workload, self.options, self.folder = workload, options, folder
        self.warm_up = 1 if options.smoke else workload.warm_up[options.device]
        self.turn = 1 if options.smoke else workload.turn[options.device]
        self.limit = 500 if options.smoke else 0
        self.band = 0.25 if options.smoke else workload.band  # a smoke run compares few steps from different initial weights
        self.idx = folder / f"{workload.data}.idx"
        self.source = ours.export(options.bin, workload.data, self.idx)
        self.running, self.rows, self.left_out = {}, {}, []
        self.ours = {"name": "gpuvae", "rounds": [], "losses": []}
        self.machine = []  # the state of the machine in each round

    def config(self, seed, threads):
        return self.workload.config() | {"images": str(self.idx), "limit": self.limit, "seed": seed, "threads": threads,
                                         "device": self.options.device, "scratch": str(self.folder / "scratch")}

    def leave_out(self, peer, kind, reason):
        self.left_out.append({"name": peer.name, "kind": kind, "reason": reason})
        note(f"{peer.name}: {kind}: {reason}")

    def leave_out_running(self, name, trouble):
        """Ends a peer that failed in its turn."""
        self.running.pop(name).close()
        self.left_out.append({"name": name, "kind": "failed", "reason": str(trouble)})

    def start(self, peer):
        """Starts the peer once per number of threads, keeps the fastest process, warmed up, and ends the others."""
        best = None
        for threads in thread_counts(self.options.threads, self.options.device):
            process = None
            try:
                process = Process(peer, self.config(1, threads), self.options.python, self.folder, self.options.timeout)
                answer = process.turn(self.warm_up)
            except BaseException as error:
                if process:
                    process.close()
                if best and isinstance(error, Trouble):
                    note(f"{peer.name}, {threads} threads: {error}")
                    continue
                if best:
                    best[1].close()
                raise
            seconds = statistics.median(answer["seconds"])
            if best and seconds >= best[0]:
                process.close()
            else:
                if best:
                    best[1].close()
                best = seconds, process, self.row(peer, threads, process.ready, answer)
        self.running[peer.name], self.rows[peer.name] = best[1], best[2]
        note(f"{peer.name}: ready, {best[2]['threads']} threads")

    @staticmethod
    def row(peer, threads, ready, answer):
        return {"name": peer.name, "threads": threads, "rounds": [], "losses": [ready["loss"], *answer["losses"]],
                "setup_seconds": ready["setup_seconds"], "versions": ready["versions"],
                "compile_seconds": max(0, ready["first_epoch_seconds"] - statistics.median(answer["seconds"]))}

    def start_all(self):
        for peer in all_peers():
            if self.options.only and not any(re.search(p, peer.name) for p in self.options.only):
                continue
            if self.options.short and not peer.short:
                continue
            if self.options.device not in peer.devices:
                self.leave_out(peer, "skipped", peer.why_not)
                continue
            if self.workload.draws > 1 and peer.module != "jax_peer":
                self.leave_out(peer, "skipped", "importance weights are implemented for JAX only")
                continue
            try:
                self.start(peer)
            except Trouble as trouble:
                self.leave_out(peer, trouble.kind, str(trouble))

    def train_ours(self, seed, epochs):
        """Returns the seconds of the epochs after the warm-up, and the losses of all epochs."""
        seconds, losses = ours.train(self.options.bin, self.workload, self.options.device, seed, epochs, self.limit,
                                     self.folder)
        return seconds[self.warm_up:], losses

    def our_turn(self, round_):
        epochs = self.warm_up + self.turn
        if round_ < 3:  # the losses of the first three rounds (seeds) are the reference for the peers
            epochs = max(epochs, self.judged_epoch())
        seconds, losses = self.train_ours(round_, epochs)
        self.ours["rounds"].append(seconds)
        self.ours["losses"].append(losses)

    def judged_epoch(self):
        """Returns the last epoch that all systems reach, at most the workload's."""
        return min(self.workload.judged_epoch, self.warm_up + self.options.rounds * self.turn)

    def peer_turn(self, name):
        row = self.rows[name]
        try:
            answer = self.running[name].turn(self.turn)
        except Trouble as trouble:
            self.leave_out_running(name, trouble)
            del self.rows[name]
            return
        row["rounds"].append(answer["seconds"])
        row["losses"] += answer["losses"]
        row["notes"] = answer["notes"]

    def is_enough(self, count, start):
        """Whether to stop after `count` rounds: the ratios of the three fastest peers are known, or the time is up."""
        if time.monotonic() - start > 60 * self.options.minutes:
            return self.warm_up + count * self.turn >= self.judged_epoch()
        if not self.rows or not rounds.is_look(count):
            return False
        ratios = sorted((report.ratios(row, self.ours) for row in self.rows.values()), key=statistics.median)
        return all(rounds.is_narrow(rounds.median_interval(r)) for r in ratios[:3])

    def run_rounds(self):
        shuffled, start = random.Random(0), time.monotonic()
        for round_ in range(self.options.rounds):
            turns = [None, *self.running]
            shuffled.shuffle(turns)
            processes = [p.child.pid for p in self.running.values()]
            begin = rounds.snapshot(processes)
            for name in turns:
                self.our_turn(round_) if name is None else self.peer_turn(name)
            self.machine.append(rounds.between(begin, rounds.snapshot(processes)))
            disturbed = self.machine[-1]["disturbed"]
            note(f"round {round_ + 1} of at most {self.options.rounds}" + (f", disturbed: {disturbed}" if disturbed else ""))
            if self.is_enough(round_ + 1, start):
                break

    def run(self):
        try:
            self.start_all()
            self.run_rounds()
            result = self.result()
            if self.options.busy:
                result["busy"] = busy.run(self, result)
        finally:
            for process in self.running.values():
                process.close()
        return result

    def result(self):
        judged = self.judged_epoch()
        expected = statistics.median(l[judged - 1] for l in self.ours["losses"] if len(l) >= judged)
        steps = self.steps()
        for row in self.rows.values():
            report.summarise(row, self.ours, steps)
            row["loss"] = row["losses"][judged - 1]
            row["in_band"] = abs(row["loss"] - expected) <= self.band * abs(expected)
        report.summarise(self.ours, self.ours, steps)
        self.ours["loss"] = expected
        return {"workload": self.workload.name, "data": self.source, "steps": steps, "judged_epoch": judged,
                "rounds": len(self.machine), "disturbed_rounds": sum(1 for m in self.machine if m["disturbed"]),
                "machine": self.machine, "band": self.band, "warm_up_epochs": self.warm_up, "epochs_a_turn": self.turn,
                "ours": self.ours, "peers": list(self.rows.values()), "left_out": self.left_out}

    def steps(self):
        pixels = 784 if self.workload.data == "mnist" else 560
        return (self.limit or (self.idx.stat().st_size - 16) // pixels) // self.workload.batch


def first_line(command):
    try:
        return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                              cwd=ROOT).stdout.strip().partition("\n")[0]
    except OSError:
        return ""


def machine(options):
    models = re.findall(r"model name\s*:\s*(.*)", Path("/proc/cpuinfo").read_text())
    gpu = ["nvidia-smi", "--query-gpu=name,driver_version,clocks.sm,clocks.mem", "--format=csv,noheader"]
    return {"device": options.device, "cpu": models[0] if models else os.uname().machine,
            "cpus": len(os.sched_getaffinity(0)), "gpu": first_line(gpu) if options.device == "cuda" else "",
            "commit": first_line(["git", "describe", "--always", "--dirty"]), "date": date.today().isoformat(),
            "command": shlex.join(["bench/peers/run.py", *sys.argv[1:]]), "rounds": options.rounds}


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("workloads", nargs="*", help=f"trainings to time: {', '.join(WORKLOADS)} (default: all)")
    add("--bin", type=Path, default=ROOT / "build/release/bin", help="folder of the gpuvae programs")
    add("--out", type=Path, default=ROOT / "build/bench", help="folder for peers.json, peers.md and the logs")
    add("--device", choices=("auto", "cpu", "cuda"), default="auto", help="auto takes a GPU if nvidia-smi lists one")
    add("--rounds", type=int, default=31,
        help="largest number of rounds; every peer has one turn per round (default: 31)")
    add("--minutes", type=float, default=20,
        help="minutes after which no further round of a workload begins (default: 20)")
    add("--busy", action="store_true",
        help="then time gpuvae and the two fastest peers alone and beside one busy process, for at most --busy-minutes")
    add("--busy-minutes", type=float, default=8,
        help="minutes after which no further round beside a busy process begins (default: 8; needs --busy)")
    add("--threads", default="", help="numbers of CPU threads to try, such as 1,2 (default: 1, 2 and all)")
    add("--only", action="append", help="regular expression of the peers to time; may be repeated")
    add("--short", action="store_true", help="time only the few peers that are usually fastest")
    add("--no-peers", action="store_true", help="time gpuvae alone")
    add("--smoke", action="store_true", help="run one round of one epoch of 500 images, to see that everything works")
    add("--no-setup", action="store_true", help="install nothing and use the Python that runs this script")
    add("--python", default="", help="Python interpreter of the peers (default: that of build/peers-venv)")
    add("--timeout", type=float, default=600, help="seconds that a peer may take to start, or for a turn (default: 600)")
    options = parser.parse_args()
    unknown = [w for w in options.workloads if w not in WORKLOADS]
    if unknown or options.rounds < 1:
        parser.error(f"expected workloads of {', '.join(WORKLOADS)} and at least one round")
    if options.device == "auto":
        options.device = "cuda" if first_line(["nvidia-smi", "-L"]) else "cpu"
    if options.smoke:
        options.rounds = 1
        options.threads = options.threads or str(len(os.sched_getaffinity(0)))
    if options.no_peers:
        options.only = ["(?!)"]
    return options


def main():
    options = parse()
    venv = ROOT / "build/peers-venv"
    if not (options.no_setup or options.python or options.no_peers):
        if subprocess.run([HERE / "setup", venv]).returncode:
            note("cannot set up the virtual environment; the peers use the packages of this Python instead")
    installed = venv / "bin/python"
    options.python = options.python or (str(installed) if installed.exists() and not options.no_setup else sys.executable)
    folder = options.out.resolve() / "peers"
    folder.mkdir(parents=True, exist_ok=True)
    results = []
    for name in options.workloads or WORKLOADS:
        note(name)
        results.append(Contest(WORKLOADS[name], options, folder).run())
    print(report.write(options.out, {"machine": machine(options), "results": results}), end="")


if __name__ == "__main__":
    try:
        main()
    except (RuntimeError, OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"bench/peers: {error}")
