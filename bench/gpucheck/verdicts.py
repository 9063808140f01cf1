"""Judges the runs of a part: reads logs and JSON and picks the lines that matter."""
import json
import re
from dataclasses import dataclass, field

MOST_LINES = 20
STICKY = re.compile(r"illegal address|illegal memory access|misaligned address|unspecified launch failure|illegal instruction|"
                    r"launch timed out|device-side assert|invalid program counter|hardware stack error|uncorrectable ECC")


@dataclass
class Verdict:
    """The result of a part. `outcome` is passed, failed, out of time or not run; `lines` give the reasons, and `facts`
    holds the findings and measurements."""
    outcome: str
    lines: list = field(default_factory=list)
    facts: dict = field(default_factory=dict)
    summary: str = ""


def passed(summary, facts=None):
    return Verdict("passed", [], facts or {}, summary)


def failed(lines, facts=None, summary=""):
    lines = [line[:300] for line in lines][:MOST_LINES]
    return Verdict("failed", lines, facts or {}, summary or (lines[0] if lines else ""))


def not_run(why):
    return Verdict("not run", [why], {}, why)


def tail(run, lines=8):
    return [line for line in run.log.splitlines() if line.strip()][-lines:]


def trouble(run):
    """Returns the verdict on a run that failed, crashed or was stopped."""
    said = [line for line in tail(run, 40) if re.match(r"\w+: \[|\w+: void |.*[Ee]rror|\[\w+\] ", line)][:1]
    verdict = failed([run.why(), *tail(run)], summary=": ".join([run.why(), *said])[:300])
    if run.outcome == "out of time":
        verdict.outcome = "out of time"
    return verdict


def answer(run):
    """Returns the last JSON object that gpu_probe printed, or None."""
    for line in reversed(run.log.splitlines()):
        if line.startswith("{"):
            try:
                found = json.loads(line)
            except ValueError:
                return None
            return found if isinstance(found, dict) else None
    return None


def experiment(run):
    """Returns (JSON object, None), or (None, verdict) if the run failed or the experiment is not supported."""
    found = answer(run) if run.ok else None
    if found is None:
        verdict = trouble(run)
        if run.ok:
            verdict.lines[0] = verdict.summary = f"{run.name}: expected a JSON object, got none"
        return None, verdict
    if "unsupported" in found:
        return None, not_run(str(found["unsupported"]))
    return found, None


def failure_texts(log, most=4):
    """Returns the first failures of a GoogleTest log, a few lines each."""
    lines, texts = log.splitlines(), []
    for i, line in enumerate(lines):
        if re.search(r": Failure$|C\+\+ exception with description|unknown file: Failure", line):
            test = next((l for l in reversed(lines[:i]) if l.startswith("[ RUN      ]")), "")
            texts += [test.replace("[ RUN      ] ", ""), *("  " + l for l in lines[i:i + 4] if not l.startswith("["))]
            most -= 1
            if most == 0:
                break
    return texts


def tests_of(log):
    """Returns the counts of a GoogleTest log, the tests that failed, and the test that was running at its end."""
    names = re.findall(r"^\[ RUN      \] (\S+)", log, re.M)
    ok = set(re.findall(r"^\[       OK \] (\S+?)(?:,| \()", log, re.M))
    skipped = set(re.findall(r"^\[  SKIPPED \] (\S+?)(?:,| \(|$)", log, re.M))
    bad = sorted(set(re.findall(r"^\[  FAILED  \] (\S+\.\S+?)(?:,| \(|$)", log, re.M)) & set(names))
    running = names[-1] if names and names[-1] not in ok | skipped | set(bad) else ""
    return {"names": names, "passed": len(ok), "skipped": len(skipped), "failed": bad, "running": running}


SANITIZER_FINDING = re.compile(r"^=========\s+((?:Invalid|Error|Warning|Race|Uninitialized|Barrier|Program hit|Unused|Leaked|"
                               r"Misaligned|Potential|Fatal).*)$", re.M)
SANITIZER_REFUSAL = re.compile(r"^=========.*(?:Device not supported|No attachable process|unable to (?:find|load)|"
                               r"not supported on this).*$", re.I | re.M)
SUMMARY = re.compile(r"^========= (?:ERROR SUMMARY: (\d+)|RACECHECK SUMMARY: (\d+) hazard)", re.M)


def sanitizer_verdict(run):
    refused = SANITIZER_REFUSAL.search(run.log)
    if refused:
        return not_run(f"compute-sanitizer refused the device: {refused.group(0).strip('= ')}")
    found = [m.start() for m in SANITIZER_FINDING.finditer(run.log)]
    if found:
        lines = run.log[found[0]:].splitlines()
        wanted = [l.removeprefix("=========").rstrip() for l in lines if "Host Frame" not in l][:12]
        return failed([f"{run.name}: {len(found)} findings", *wanted])
    counts = SUMMARY.findall(run.log)
    errors = sum(int(a or b) for a, b in counts)
    if errors or not run.ok:
        return trouble(run) if not errors else failed([f"{run.name}: {errors} errors", *tail(run)])
    if not counts:
        return failed([f"{run.name}: expected the sanitizer's summary, got none", *tail(run)])
    return passed(f"{run.name}: no errors")
