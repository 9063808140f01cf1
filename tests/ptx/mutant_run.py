"""Runs tests of a program on the emulated device with one instruction of one kernel changed (PTX_MUTANT)."""
import collections, json, os, re, resource, signal, subprocess, tempfile

from mutant_places import short_text

# Test modes of the project (tests/ptx/CMakeLists.txt), in the order in which they are tried.
MODES = {
    "default": {"GPUVAE_TEST_ELEMENTS": "10000000"},
    "sms132": {"GPUVAE_TEST_ELEMENTS": "10000000", "PTX_SMS": "132"},
    "overlap_random": {"GPUVAE_TEST_ELEMENTS": "300000", "PTX_OVERLAP": "1", "PTX_ORDER": "random", "PTX_SEED": "4",
                       "PTX_DELAYED_STORES": "1"},
}
# The modes in which kernels take different paths, each with a filter of the tests that take them (None: all tests). The
# other modes of MODES take the paths of "default", so they use its coverage.
PATHS = {"default": None, "sms132": "*FusedMix*:*FusedVariant*:*FusedRandom*:FusedStep.*"}
REFUSED, NOT_LOADED = 70, 71  # exit statuses (device/mutant.h)
WALL_LIMIT = 540  # seconds; a backstop, because the effective limit is CPU time: a busy machine stretches wall time


class NotApplied(Exception):
    """The program does not contain the instruction that a mutation changes."""


class Pass:
    """One run of the tests without a mutation: their durations, and the instructions that each executes."""

    def __init__(self, report, coverage):
        with open(report) as file:
            suites = json.load(file)["testsuites"]
        self.seconds, self.failing = {}, []
        for test in (t for s in suites for t in s["testsuite"] if t["result"] == "COMPLETED"):
            name = f"{test['classname']}.{test['name']}"
            self.seconds[name] = float(test["time"].rstrip("s"))
            if "failures" in test:
                self.failing.append(name)
        self.of_kernel = collections.defaultdict(list)  # (test, first and last lines that it executes)
        with open(coverage) as file:
            for test, kernel, lines in (line.rstrip("\n").split("\t") for line in file):
                if test in self.seconds and test not in self.failing:
                    ranges = [tuple(map(int, r.split("-"))) for r in lines.split(",")]
                    self.of_kernel[kernel].append((test, ranges))

    def that_execute(self, instruction):
        """Returns the tests that execute an instruction, fastest first."""
        found = [test for test, ranges in self.of_kernel.get(instruction.kernel.name, [])
                 if any(first <= instruction.line <= last for first, last in ranges)]
        return sorted(found, key=lambda t: self.seconds[t])


class Tests:
    """The tests of a program that match the GoogleTest filter `pattern`, run once in each mode of PATHS."""

    def __init__(self, program, pattern, folder, paths=PATHS):
        self.program, self.folder, self.passes = program, folder, {}
        for mode, only in paths.items():
            coverage, report = (os.path.join(folder, f"{mode}.{kind}") for kind in ("coverage.tsv", "tests.json"))
            if not os.path.exists(report) or os.path.getmtime(report) < os.path.getmtime(program):
                self._run([f"--gtest_filter={only or pattern}", f"--gtest_output=json:{report}"], mode, None, 1800,
                          {"PTX_COVERAGE": coverage})
            self.passes[mode] = Pass(report, coverage)

    def of(self, mode):
        """Returns the run without a mutation whose coverage applies in a mode."""
        return self.passes.get(mode, self.passes["default"])

    def _run(self, arguments, mode, mutant, limit, extra=None):
        environment = {**os.environ, "GPUVAE_NUM_THREADS": "1", **MODES[mode], **(extra or {})}
        environment.pop("PTX_MUTANT", None)
        if mutant:
            environment["PTX_MUTANT"] = mutant
        with tempfile.TemporaryFile("w+", errors="replace") as output:
            try:
                code = subprocess.run(
                    [self.program, *arguments], env=environment, stdout=output, stderr=subprocess.STDOUT,
                    timeout=WALL_LIMIT if mutant else 3600, cwd=self.folder,
                    preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 5))).returncode
            except subprocess.TimeoutExpired:
                code = -signal.SIGXCPU
            output.seek(0)
            return code, output.read()

    def limit(self, tests, mode):
        return int(10 + 8 * sum(self.of(mode).seconds[t] for t in tests))

    def failure(self, tests, mode, mutant):
        """Returns (kind, message of the first failing test), or None if all tests pass."""
        limit = self.limit(tests, mode)
        code, output = self._run([f"--gtest_filter={':'.join(tests)}", "--gtest_fail_fast", "--gtest_brief=1"], mode,
                                 mutant, limit)
        if code == NOT_LOADED and mode != "default":
            return None  # this mode skips the tests that run the kernel
        if code in (REFUSED, NOT_LOADED):
            raise NotApplied(output.strip().splitlines()[-1])
        if code == 0:
            return None
        if code in (-signal.SIGXCPU, -signal.SIGKILL):
            return "hang", f"{limit} s of processor time"
        failed = re.search(r"\[  FAILED  \] (\S+)", output)
        name = failed.group(1).rstrip(",") if failed else ""
        thrown = re.search(r'exception with description "(.*?)" thrown', output, re.S)
        if thrown and "PTX line" in thrown.group(1) or "emulated device" in output:
            return "check", f"{name}: {(thrown.group(1) if thrown else output)[-400:]}"
        if code < 0:
            return "crash", f"{name}: signal {-code}"
        return "values", f"{name}: {(thrown.group(1) if thrown else first_expectation(output))[:300]}"

    def find(self, mutation, modes):
        """Runs the tests that execute the mutated instruction, and returns an entry of the results: what detects the
        mutation, or how it survives."""
        tests = {mode: self.of(mode).that_execute(mutation.instruction) for mode in modes}
        reached = [mode for mode in modes if tests[mode]]
        with tempfile.NamedTemporaryFile("w", suffix=".mutant") as file:
            write_mutation(file, mutation)
            for mode in reached:
                for part in in_parts(tests[mode], self.of(mode).seconds):
                    if failure := self.failure(part, mode, file.name):
                        return {"found": failure[0], "mode": mode, "says": short_text(failure[1])}
            same = all(self.digest(tests[m], m, file.name) == self.digest(tests[m], m, None) for m in reached)
        return {"found": None, "reached": bool(reached), "same_bits": bool(reached) and same}

    def digest(self, tests, mode, mutant):
        """Returns a hash of every byte that the tests read from the device: equal hashes mean equal results."""
        with tempfile.NamedTemporaryFile("r", suffix=".digest") as file:
            self._run([f"--gtest_filter={':'.join(tests)}", "--gtest_brief=1"], mode, mutant, self.limit(tests, mode),
                      {"PTX_DIGEST": file.name})
            return file.read()


def first_expectation(output):
    at = output.find("Failure")
    return " ".join(output[max(0, at):at + 400].split())


def in_parts(tests, seconds):
    """Splits off the fastest tests, which are enough for most mutations."""
    budget, count = sum(seconds[t] for t in tests) / 10, 0
    while count < len(tests) and (count == 0 or budget > 0):
        budget -= seconds[tests[count]]
        count += 1
    return [part for part in (tests[:count], tests[count:]) if part]


def write_mutation(file, mutation):
    i = mutation.instruction
    file.write(f"target 90\nkernel {i.kernel.name}\nline {i.line}\nold {mutation.old or i.text}\nnew {mutation.new}\n")
    file.flush()
