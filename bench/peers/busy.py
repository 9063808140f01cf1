"""Times gpuvae and the fastest peers beside one busy process. Uses the standard library only."""
import contextlib
import random
import statistics
import subprocess
import sys
import time

import rounds
from peers import Trouble, end_with_parent

PEERS = 2  # how many of the fastest peers are timed


@contextlib.contextmanager
def busy_process():
    """Runs a process that computes without pause, with our priority on any processor. It ends with the context, or with
    this process."""
    child = subprocess.Popen([sys.executable, "-c", "while True: pass"], stdin=subprocess.DEVNULL,
                             preexec_fn=end_with_parent)
    try:
        yield child.pid
    finally:
        child.kill()
        child.wait()


class BusyRounds:
    """Rounds in which gpuvae and some peers of a contest train twice: alone, and beside a busy process."""

    def __init__(self, contest, names):
        self.contest, self.generator = contest, random.Random(1)
        self.seconds = {n: {"alone": [], "busy": []} for n in ["gpuvae", *names]}  # per epoch, one value per round
        self.machine = {"alone": [], "busy": []}

    def turn(self, name):
        c = self.contest
        if name == "gpuvae":
            return c.train_ours(len(self.machine["alone"]), c.warm_up + c.turn)[0]
        return c.running[name].turn(c.turn)["seconds"]

    def half(self, kind):
        """One turn of each system. A peer that fails takes no further part."""
        names = list(self.seconds)
        self.generator.shuffle(names)
        with busy_process() if kind == "busy" else contextlib.nullcontext() as pid:
            processes = [p.child.pid for p in self.contest.running.values()] + ([pid] if pid else [])
            begin = rounds.snapshot(processes)
            for name in names:
                try:
                    self.seconds[name][kind].append(statistics.median(self.turn(name)))
                except Trouble as trouble:
                    self.contest.leave_out_running(name, trouble)
                    del self.seconds[name]
            self.machine[kind].append(rounds.between(begin, rounds.snapshot(processes), kind == "busy"))

    def run(self):
        options, start = self.contest.options, time.monotonic()
        for count in range(1, options.rounds + 1):
            for kind in self.generator.sample(["alone", "busy"], 2):
                self.half(kind)
            print(f"  busy round {count} of at most {options.rounds}", file=sys.stderr, flush=True)
            if time.monotonic() - start > 60 * options.busy_minutes:
                break
            if rounds.is_look(count) and all(map(rounds.is_narrow, self.intervals())):
                break

    def slowdowns(self, name):
        return [b / a for a, b in zip(self.seconds[name]["alone"], self.seconds[name]["busy"])]

    def ratios(self, name):
        """Returns the system's time beside the busy process relative to gpuvae's in the same round."""
        return [t / o for t, o in zip(self.seconds[name]["busy"], self.seconds["gpuvae"]["busy"])]

    def intervals(self):
        yield rounds.median_interval(self.slowdowns("gpuvae"))
        yield from (rounds.median_interval(self.ratios(n)) for n in self.seconds if n != "gpuvae")

    def system(self, name, steps):
        per_step = {k: [1e6 * s / steps for s in v] for k, v in self.seconds[name].items()}
        slowdowns, ratios = self.slowdowns(name), self.ratios(name)
        interval = rounds.median_interval(ratios)
        return {"name": name, "us_alone": statistics.median(per_step["alone"]),
                "us_busy": statistics.median(per_step["busy"]), "samples_us": per_step,
                "slowdown": statistics.median(slowdowns), "slowdown_interval": rounds.median_interval(slowdowns),
                "ratio": statistics.median(ratios), "ratio_interval": interval, "verdict": rounds.verdict(interval)}

    def result(self, steps):
        states = list(zip(self.machine["alone"], self.machine["busy"]))
        return {"rounds": len(states), "disturbed_rounds": sum(1 for pair in states if any(m["disturbed"] for m in pair)),
                "machine": self.machine, "systems": [self.system(n, steps) for n in self.seconds]}


def fastest(result):
    """Returns the names of the fastest peers that train the same model."""
    ranked = sorted((p for p in result["peers"] if p["in_band"]), key=lambda p: p["ratio"]["median"])
    return [p["name"] for p in ranked[:PEERS]]


def run(contest, result):
    """Runs the rounds beside a busy process after the rounds of the contest, and returns their result."""
    names = fastest(result)
    for name in set(contest.running) - set(names):
        contest.running.pop(name).close()
    busy = BusyRounds(contest, names)
    busy.run()
    return busy.result(result["steps"])
