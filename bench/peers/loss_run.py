"""Runs one system until its validation loss reaches a target, and notes when. Uses the standard library only."""
import json
import math
import os
import select
import shutil
import signal
import subprocess
import time

import ours
from peers import HERE, Trouble, end_with_parent, environment, use_processors


class Course:
    """The validation losses of a run, with the seconds since its process was started."""

    def __init__(self, target, epochs, limit):
        self.target, self.epochs, self.limit = target, epochs, limit
        self.history, self.versions = [], {}
        self.begin()

    def begin(self):
        """Starts the clock, just before the process is started."""
        self.start = time.perf_counter()

    def add(self, loss):
        self.history.append((time.perf_counter() - self.start, loss))

    def reached(self):
        return bool(self.history) and self.history[-1][1] <= self.target

    def is_over(self):
        return self.reached() or len(self.history) >= self.epochs or self.seconds_left() <= 0

    def seconds_left(self):
        return self.start + self.limit - time.perf_counter()

    def result(self):
        """Returns the run as JSON; `seconds` is null if the loss was not reached, `best_loss` if there was no finite
        loss."""
        losses = [l for _, l in self.history]
        return {"seconds": self.history[-1][0] if self.reached() else None, "epochs": len(losses),
                "best_loss": min(filter(math.isfinite, losses), default=None),
                "out_of_time": not self.reached() and len(losses) < self.epochs,
                "history": [[s, l if math.isfinite(l) else None] for s, l in self.history]}


def lines_of(pipe, course):
    """Yields the lines that a process writes, until it ends or the run is over."""
    rest = b""
    while not course.is_over():
        if not select.select([pipe], [], [], max(0, course.seconds_left()))[0]:
            continue
        block = os.read(pipe.fileno(), 1 << 16)
        if not block:
            return
        *lines, rest = (rest + block).split(b"\n")
        for line in lines:
            yield line.decode(errors="replace")


def end(child):
    """Ends a process and all processes of its session, and waits for it."""
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    child.wait()


def run_ours(binaries, workload, seed, options, course, folder):
    """Trains with gpuvae's program and its preset, which writes all its files as usual. The loss is read from metrics.csv
    as soon as the program reports an epoch."""
    shutil.rmtree(folder, ignore_errors=True)
    command = [binaries / ours.PROGRAMS[workload.data], "--preset", workload.preset, "--seed", seed, "--device",
               options.device, "--epochs", course.epochs, "--out", folder, *ours.data_flags(workload.data), *workload.flags]
    variables = os.environ | {"GPUVAE_NUM_THREADS": str(options.threads)}
    last = ""
    course.begin()
    with subprocess.Popen([str(c) for c in command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, bufsize=0,
                          env=variables, start_new_session=True, preexec_fn=end_with_parent) as child:
        try:
            for line in lines_of(child.stderr, course):
                last = line.strip() or last
                if line.startswith("epoch"):
                    for row in ours.metrics(folder)[len(course.history):]:
                        course.add(row["val_loss"])
                        if course.is_over():
                            break
            if not course.is_over():
                raise Trouble("failed", f"ended with status {child.wait()}: {last}")
        finally:
            end(child)


def run_peer(peer, config, options, course, folder):
    """Trains with a peer, which evaluates the validation images after each epoch."""
    threads, device, scratch = config["threads"], config["device"], folder / "scratch"
    scratch.mkdir(parents=True, exist_ok=True)

    def prepare():
        use_processors(threads, device)
        end_with_parent()

    command = [options.python, str(HERE / "until.py"), peer.module, json.dumps(config | {"variant": peer.variant})]
    log_path = folder / f"{peer.module}-{peer.variant}.log"
    course.begin()
    with open(log_path, "w") as log, \
            subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, bufsize=0,
                             env=environment(peer, threads, device, scratch), start_new_session=True,
                             preexec_fn=prepare) as child:
        try:
            for line in lines_of(child.stdout, course):
                answer = json.loads(line)
                for kind in ("skipped", "failed"):
                    if kind in answer:
                        raise Trouble(kind, answer[kind])
                course.versions |= answer.get("versions", {})
                course.add(answer["val_loss"])
                if course.is_over():
                    break
            if not course.is_over():
                raise Trouble("failed", f"ended with status {child.wait()}, see {log_path}")
        finally:
            end(child)
