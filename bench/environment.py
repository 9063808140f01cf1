"""Describes where and how a benchmark was run."""
import os, re, shlex, subprocess, sys
from datetime import datetime, timezone
from pathlib import Path


def output(*command):
    """Returns the first line that a command prints, or "" if the command fails or does not exist."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, cwd=Path(__file__).resolve().parent)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip().splitlines()[0] if done.returncode == 0 and done.stdout.strip() else ""


def commit():
    """Returns GPUVAE_COMMIT if it is set, otherwise the commit of the checkout that contains this file."""
    return os.environ.get("GPUVAE_COMMIT") or output("git", "describe", "--always", "--dirty") or "unknown"


def processor():
    try:
        names = re.findall(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.M)
    except OSError:
        names = []
    return f"{len(os.sched_getaffinity(0))} x {names[0] if names else 'unknown'}"


def environment():
    return {"date": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"), "commit": commit(),
            "command": shlex.join([os.path.relpath(sys.argv[0]), *sys.argv[1:]]), "processor": processor(),
            "load_average": os.getloadavg()[0],
            "gpu": output("nvidia-smi", "--query-gpu=name", "--format=csv,noheader") or "none",
            "driver": output("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader") or "none"}
