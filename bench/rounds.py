"""Intervals, verdicts and the state of the machine for comparisons by rounds. The same rules as in statistics.h and
machine_state.h. Uses the standard library only."""
import math
import os
import re
import resource
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

SAME = 0.02  # intervals inside 1 +- SAME count as "same"
MISS = 0.05  # largest probability that an interval does not contain the median
FIRST_LOOK = 7


def rank(n):
    """Returns the largest k such that the k-th smallest and the k-th largest of n independent values enclose the
    median with a probability of at least 95 %, or 0."""
    k, below = 0, 0
    while k < n and 2 * (below + math.comb(n, k)) <= MISS * 2**n:
        below += math.comb(n, k)
        k += 1
    return k


def independent(values, median):
    """Returns the number of independent values that carry as much information on the median: the sides of the median
    on which the values lie are regarded as a first-order autoregressive sequence."""
    n = len(values)
    sides = [(v > median) - (v < median) for v in values]
    correlation = min((sum(a * b for a, b in zip(sides, sides[1:])) + 1) / (n - 1), 0.95) if n > 1 else 0
    return n if not correlation > 1.5 / math.sqrt(n) else round(n * (1 - correlation) / (1 + correlation))


def median_interval(values):
    """Returns the 95 % confidence interval of the median from order statistics, whatever the distribution of the
    values, or None for fewer than 6 independent values. The values are in the order of their measurement."""
    if not values or any(math.isnan(v) for v in values):
        return None
    n, count = len(values), independent(values, statistics.median(values))
    k = rank(count)
    if not k:
        return None
    k = max(1, k * n // count)
    ordered = sorted(values)
    return [ordered[k - 1], ordered[n - k]]


def verdict(interval):
    """Judges "ours" from the interval of the ratio (time of the other) / (time of ours)."""
    if interval is None:
        return "undecided"
    low, high = interval
    if low >= 1 - SAME and high <= 1 + SAME:
        return "same"
    return "faster" if low > 1 else "slower" if high < 1 else "undecided"


def is_narrow(interval):
    return interval is not None and interval[1] <= interval[0] * (1 + 2 * SAME)


def is_look(rounds):
    """Whether to examine after so many rounds if the intervals are narrow: after 7, 10, 14, 19, ... rounds. More
    frequent looks would stop at intervals that are narrow by chance."""
    look = FIRST_LOOK
    while look < rounds:
        look += 1 + look // 3
    return look == rounds


@dataclass
class Snapshot:
    wall: float
    steal: float
    busy: float
    own: float  # of this process and of the processes that it has waited for
    switches: float
    waiting: float  # seconds that the threads were ready to run and had no processor


def counts(process_ids):
    """Returns the processor seconds, involuntary context switches and seconds of waiting for a processor of processes
    with all their threads."""
    tick, seconds, switches, waiting = os.sysconf("SC_CLK_TCK"), 0.0, 0, 0.0
    for pid in process_ids:
        for task in Path(f"/proc/{pid}/task").glob("*"):
            try:
                fields = (task / "stat").read_text().rpartition(")")[2].split()
                switches += int(re.search(r"nonvoluntary_ctxt_switches:\s*(\d+)", (task / "status").read_text())[1])
                seconds += (int(fields[11]) + int(fields[12])) / tick
                waiting += 1e-9 * int((task / "schedstat").read_text().split()[1])
            except (OSError, TypeError, IndexError):  # the thread has ended
                continue
    return seconds, switches, waiting


def snapshot(process_ids=()):
    """Reads the counters of the system, and those of this process, of the child processes that have ended, and of
    `process_ids`, which together do the work that is measured."""
    tick, steal, busy = os.sysconf("SC_CLK_TCK"), 0.0, 0.0
    try:
        lines = Path("/proc/stat").read_text().splitlines()
    except OSError:
        lines = []
    usable = {f"cpu{i}" for i in os.sched_getaffinity(0)}
    for name, *fields in (line.split() for line in lines if line.startswith("cpu")):
        if name in usable:
            user, nice, system, _, _, irq, softirq, stolen = map(int, fields[:8])
            busy += (user + nice + system + irq + softirq) / tick
            steal += stolen / tick
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    own, switches, waiting = counts([os.getpid(), *process_ids])
    own += ended.ru_utime + ended.ru_stime
    return Snapshot(time.monotonic(), steal, busy, own, switches + ended.ru_nivcsw, waiting)


def megahertz():
    try:
        first = min(os.sched_getaffinity(0))
        return int(Path(f"/sys/devices/system/cpu/cpu{first}/cpufreq/scaling_cur_freq").read_text()) / 1000
    except (OSError, ValueError):
        return None


def between(begin, end, shared=False):
    """Describes the machine between two snapshots, as MachineState in machine_state.h does. `shared` says that the
    processes take processors from each other on purpose."""
    state = {"seconds": end.wall - begin.wall, "steal": max(0.0, end.steal - begin.steal),
             "others": max(0.0, end.busy - begin.busy - (end.own - begin.own)),
             "switches": max(0, end.switches - begin.switches), "waiting": max(0.0, end.waiting - begin.waiting),
             "load": os.getloadavg()[0], "megahertz": megahertz()}
    return state | {"disturbed": disturbance(state, len(os.sched_getaffinity(0)), shared)}


def disturbance(state, processors, shared=False):
    """Returns why a round is regarded as disturbed, or an empty string. Waiting is expected if the processors are
    `shared`."""
    available, reasons = state["seconds"] * processors, []
    if state["steal"] > 0.01 * available:
        reasons.append(f"steal time {100 * min(1, state['steal'] / available):.0f} %")
    if state["others"] >= 0.02 and state["others"] > 0.05 * available:
        reasons.append(f"other processes {100 * min(1, state['others'] / available):.0f} %")
    if not shared and state["waiting"] > 0.05 * available:
        reasons.append(f"waiting for a processor {100 * min(1, state['waiting'] / available):.0f} %")
    return ", ".join(reasons)
