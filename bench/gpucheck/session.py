"""One run of gpu_check: runs the parts in order and rewrites gpu-check.json completely after each of them."""
import contextlib
import hashlib
import json
import math
import os
import shutil
import sys
import tempfile
import time
from datetime import datetime, timezone
from pathlib import Path

from . import page
from .execute import execute
from .parts import PARTS
from .verdicts import failed, not_run

REHEARSAL_NAMES = {"gpu_probe": "gpu_probe_ptx", "gpuvae_tests": "gpuvae_ptx_tests", "gpuvae_bench": "gpuvae_bench_ptx",
                   "train_bench": "train_bench_ptx"}
# The keys of a part that page.py reads. Parts in a file from another version of gpu_check may lack some of them.
ENTRY = {"outcome", "summary", "seconds", "limit", "purpose", "on_failure", "decides", "date", "commit", "mode", "lines",
         "runs", "result"}
MOST_LOG = 1 << 20  # bytes of one part's log in gpu-check.log


def find_sanitizer(path):
    toolkits = sorted(Path("/usr/local").glob("cuda*/bin/compute-sanitizer"))
    return shutil.which("compute-sanitizer", path=path) or (str(toolkits[0]) if toolkits else None)


def plain(value):
    """Returns the value with text in place of numbers that JSON cannot represent (NaN, infinity)."""
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


class Session:
    def __init__(self, options, root, env, environment):
        self.options, self.root, self.bin, self.out, self.env = options, root, options.bin, options.out, env
        self.rehearsal, self.steps = options.rehearse is not None, options.rehearse or 10000
        self.sanitizer = find_sanitizer(env.get("PATH"))
        self.scratch = None
        self.deadline = time.monotonic() + options.total
        self.result = {"environment": environment, "mode": options.mode, "programs": {}, "parts": {}}

    def pick(self, normal, rehearsal):
        return rehearsal if self.rehearsal else normal

    def program(self, name):
        return self.bin / (REHEARSAL_NAMES[name] if self.rehearsal else name)

    def describe_programs(self):
        for name in REHEARSAL_NAMES:
            path = self.program(name)
            digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
            self.result["programs"][path.name] = {"bytes": path.stat().st_size, "sha256": digest}

    def keep_earlier(self, names):
        """Keeps the parts of an earlier run on this device in the same folder, except those that are about to run."""
        try:
            result = json.loads((self.out / "gpu-check.json").read_text())
            device, earlier = result["environment"]["device"], result["parts"]
            entries = earlier.items()
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return
        if device != self.result["environment"]["device"]:
            print(f"gpu_check: the earlier results in {self.out} are not kept, because they come from {device}", file=sys.stderr)
            return
        known = {p.name for p in PARTS} - set(names)
        self.result["parts"] = {name: entry for name, entry in entries
                                if name in known and isinstance(entry, dict) and ENTRY <= entry.keys()}

    def write(self):
        """Replaces each file atomically, so that a reader never sees half of one, even after a SIGKILL."""
        for name, text in (("gpu-check.json", json.dumps(plain(self.result), indent=1, default=str) + "\n"),
                           ("gpu-check.md", page.markdown(self.result))):
            try:
                temporary = self.out / f".{name}.{os.getpid()}"
                temporary.write_text(text)
                temporary.replace(self.out / name)
            except OSError as error:  # if the disk is full, the earlier files stay
                print(f"gpu_check: cannot write {name}: {error}", file=sys.stderr, flush=True)

    def write_log(self, part, runs):
        try:
            with open(self.out / "gpu-check.log", "a", errors="replace") as file:
                for run in runs:
                    file.write(f"==== {part.name}: {run.why()}, {run.seconds} s\n$ {run.command}\n{run.log[-MOST_LOG:]}\n")
        except OSError:
            pass

    def run_part(self, part, limit):
        start, runs = time.monotonic(), []
        end = min(start + limit, self.deadline)
        body = part.body(self)
        try:
            command = next(body)
            while True:
                left = end - time.monotonic()
                runs.append(execute(command, left * command.share if left > 1 else left, self.env, self.root, self.scratch))
                command = body.send(runs[-1])
        except StopIteration as stop:
            verdict = stop.value
        except Exception as error:  # a program's output was not what the part expects
            last = runs[-1].log.splitlines()[-5:] if runs else []
            verdict = failed([f"the output of {part.name} was not understood: {type(error).__name__}: {error}", *last])
        self.record(part, limit, verdict, runs, time.monotonic() - start)

    def record(self, part, limit, verdict, runs, seconds):
        entry = {"outcome": verdict.outcome, "summary": verdict.summary, "seconds": round(seconds, 1), "limit": limit,
                 "purpose": part.purpose, "on_failure": part.on_failure, "decides": part.decides,
                 "date": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC"),
                 "commit": self.result["environment"].get("commit"), "mode": self.options.mode, "lines": verdict.lines,
                 "runs": [{"name": r.name, "command": r.command, "outcome": r.outcome, "status": r.status,
                           "seconds": r.seconds} for r in runs],
                 "result": verdict.facts}
        self.result["parts"][part.name] = entry
        order = [p.name for p in PARTS]
        self.result["parts"] = dict(sorted(self.result["parts"].items(), key=lambda item: order.index(item[0])))
        self.write()
        self.write_log(part, runs)
        print(f"{part.name:20} {verdict.outcome:12} {seconds:5.1f} s of {limit:g}  {verdict.summary[:110]}", flush=True)

    def run(self, parts, scale):
        start = time.monotonic()
        with contextlib.suppress(OSError):  # if the folder is read-only, write() reports it
            (self.out / "gpu-check.log").unlink(missing_ok=True)
        self.write()
        for part in parts:
            limit = (part.quick if self.options.quick else part.limit) * scale
            if self.deadline - time.monotonic() < min(1, limit):
                self.record(part, limit, not_run("no time was left"), [], 0)
                continue
            with tempfile.TemporaryDirectory(prefix="gpu-check-", ignore_cleanup_errors=True) as folder:
                self.scratch = Path(folder)
                self.run_part(part, limit)
        self.result["seconds"] = round(time.monotonic() - start, 1)
        self.write()
