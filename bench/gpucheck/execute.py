"""Runs a command under limits of time, output and disk space, in a process group that is killed with its parent."""
import ctypes
import os
import signal
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

KEPT = 256 << 10  # bytes kept of the beginning of a log, and of its end
MOST_OUTPUT = 64 << 20  # largest number of bytes that a command may print
MOST_DISK = 256 << 20  # largest total size of the files in the scratch folder, in bytes
PR_SET_PDEATHSIG = 1


@dataclass
class Command:
    name: str
    argv: list
    env: dict = field(default_factory=dict)
    share: float = 1.0  # fraction of the part's remaining time that the command may use


@dataclass
class Run:
    """The result of a command. outcome: ended, crashed, out of time, too much output, not started."""
    name: str
    command: str
    outcome: str
    status: int = None
    seconds: float = 0
    limit: float = 0
    log: str = ""

    @property
    def ok(self):
        return self.outcome == "ended" and self.status == 0

    def why(self):
        """Returns one line that says how the command ended."""
        if self.outcome == "ended":
            return f"{self.name}: exit status {self.status}"
        if self.outcome == "crashed":
            return f"{self.name}: killed by {signal.Signals(-self.status).name}"
        if self.outcome == "out of time":
            return f"{self.name}: out of time after {self.limit:.1f} s"
        return f"{self.name}: {self.outcome}"


class Reader(threading.Thread):
    """Keeps the beginning and the end of a pipe's output and counts the rest."""

    def __init__(self, pipe):
        super().__init__(daemon=True)
        self.pipe, self.head, self.tail, self.total = pipe, bytearray(), bytearray(), 0

    def run(self):
        while True:
            try:
                block = os.read(self.pipe.fileno(), 1 << 16)
            except (OSError, ValueError):
                return
            if not block:
                return
            self.total += len(block)
            room = KEPT - len(self.head)
            self.head += block[:max(room, 0)]
            self.tail = (self.tail + block[max(room, 0):])[-KEPT:]

    def text(self):
        left_out = self.total - len(self.head) - len(self.tail)
        gap = f"\n... {left_out} bytes left out ...\n".encode() if left_out > 0 else b""
        return bytes(self.head + gap + self.tail).decode(errors="replace")


def die_with_parent():
    """Runs in the child process. The kernel kills the child when gpu_check ends, so that nothing keeps running on the
    GPU."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def folder_size(folder):
    size = 0
    for path in Path(folder).rglob("*"):
        try:
            size += path.lstat().st_blocks * 512
        except OSError:
            pass
    return size


def kill(child):
    """Kills the process group. A process that hangs in the driver is abandoned after five seconds."""
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except OSError:
        pass
    try:
        child.wait(5)
        return True
    except subprocess.TimeoutExpired:
        return False


def watch(child, reader, limit, scratch):
    """Waits for the child or for a limit. Returns why it was stopped, or "" if it ended by itself."""
    end, look = time.monotonic() + limit, 0
    while True:
        try:
            child.wait(max(0.0, min(0.1, end - time.monotonic())))
            return ""
        except subprocess.TimeoutExpired:
            pass
        if time.monotonic() >= end:
            return "out of time"
        if reader.total > MOST_OUTPUT:
            return "too much output"
        look += 1
        if look % 10 == 0 and folder_size(scratch) > MOST_DISK:
            return "too much output"


def execute(command, limit, env, folder, scratch):
    line = " ".join(map(str, command.argv))
    if limit <= 0:
        return Run(command.name, line, "out of time")
    start = time.monotonic()
    try:
        child = subprocess.Popen([str(a) for a in command.argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT, env={**env, **command.env}, cwd=folder,
                                 start_new_session=True, preexec_fn=die_with_parent)
    except OSError as error:
        return Run(command.name, line, "not started", log=str(error))
    reader = Reader(child.stdout)
    reader.start()
    try:
        stopped = watch(child, reader, limit, scratch)
    finally:
        killed = kill(child)  # this also kills processes that the command left running
    reader.join(1)
    if not reader.is_alive():
        child.stdout.close()
    run = Run(command.name, line, stopped or "ended", child.returncode, round(time.monotonic() - start, 1), limit)
    run.log = reader.text()
    if not stopped and run.status < 0:
        run.outcome = "crashed"
    if not killed:
        run.log += "\nthe process could not be killed and may still be running"
    return run
