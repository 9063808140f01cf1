"""The parts of gpu_check; the most likely failures come first. A part is a generator: it yields commands, receives
their runs and returns a verdict. Limits are in seconds. The limits of a full run add up to at most 480, those of a
quick run to at most 180."""
from dataclasses import dataclass
from typing import Callable

from . import timing_parts as timing
from .execute import Command
from .verdicts import (STICKY, experiment, failed, failure_texts, not_run, passed, sanitizer_verdict, tests_of, trouble)

TOTAL, QUICK_TOTAL = 480, 180
FUSED_TESTS = "FusedStepDevice.*"
KERNEL_CASES = "Cases/Operation.CudaMatchesCpu*"
DEVICE_TESTS = ("*Device*:*Cuda*:*Gather*:*Kinds*:Trainer*:Framework*:Evaluation*:*Graph*:*Executor*:*Fused*:"
                "-Cases/*:FusedStepDevice.*")


@dataclass(frozen=True)
class Part:
    name: str
    purpose: str
    limit: int
    quick: int  # seconds with --quick; 0 leaves the part out
    body: Callable
    on_failure: str  # what a failure means, and what to try
    decides: bool = True  # whether a failure means that the device or the kernels are wrong; False: it only measures


def round_trip(c):
    run = yield Command("round-trip", [c.program("gpu_probe"), "round-trip"])
    found, verdict = experiment(run)
    if verdict:
        return verdict
    if found["wrong"] or not found["elements"]:
        return failed([f"{found['wrong']} of {found['elements']} elements are wrong"], found)
    return passed(f"{found['elements']} elements", found)


def sanitized(c, tool, name, program, options=(), env=None):
    return Command(name, [c.sanitizer, "--tool", tool, "--error-exitcode", "9", "--print-limit", "20", program, *options],
                   env or {})


def sanitizer_part(tool):
    """Runs the fused step alone, without other kernels or cuBLASLt: at the size of a preset for memcheck, small
    otherwise."""
    def body(c):
        if c.sanitizer is None:
            return not_run("compute-sanitizer not found")
        small = [] if tool == "memcheck" and not c.rehearsal else ["--preset", "small"]
        run = yield sanitized(c, tool, tool, c.program("gpu_probe"), ["fused-steps", "--steps", "3", *small])
        verdict = sanitizer_verdict(run)
        if verdict.outcome != "passed":
            return verdict
        return experiment(run)[1] or verdict  # a run that executed no step would also have no findings
    return body


def memcheck_tests(c):
    if c.sanitizer is None:
        return not_run("compute-sanitizer not found")
    run = yield sanitized(c, "memcheck", "memcheck-tests", c.program("gpuvae_tests"), [f"--gtest_filter={FUSED_TESTS}"],
                          {"GPUVAE_TEST_ELEMENTS": "100000"})
    verdict, ended = sanitizer_verdict(run), tests_of(run.log)
    if verdict.outcome == "out of time" and ended["passed"]:
        return passed(f"no errors in the {ended['passed']} tests that ended in time", ended)
    if verdict.outcome == "passed" and not ended["passed"]:
        return failed([f"expected tests for {FUSED_TESTS}, got none"])
    verdict.facts = ended
    if ended["failed"] and verdict.outcome != "passed":
        verdict.lines += [f"failed: {', '.join(ended['failed'])}", *failure_texts(run.log)]
    return verdict


def tests(filter_, small=""):
    """Runs tests. A crash or a sticky CUDA error ends the process; the tests that remain run in a new one."""
    def body(c):
        total = {"passed": 0, "skipped": 0, "failed": []}
        lines, done = [], []
        wanted = small if small and c.rehearsal else filter_
        for _ in range(4):
            left_out = (":" if ":-" in wanted else ":-") + ":".join(done) if done else ""
            run = yield Command("tests", [c.program("gpuvae_tests"), f"--gtest_filter={wanted}{left_out}"],
                                c.pick({}, {"GPUVAE_TEST_ELEMENTS": "3000"}), share=0.7)
            sticky = STICKY.search(run.log)
            found = tests_of(run.log[:sticky.start()] if sticky else run.log)
            culprit = found["running"] if sticky or run.outcome == "crashed" else ""
            total["passed"] += found["passed"]
            total["skipped"] += found["skipped"]
            total["failed"] += found["failed"] + ([culprit] if culprit else [])
            lines += failure_texts(run.log)
            if not culprit:
                break
            lines.append(f"{culprit}: " + (sticky.group(0) if sticky else run.why()))
            done += found["names"]
        return verdict_of_tests(run, wanted, total, lines)
    return body


def verdict_of_tests(last, wanted, total, lines):
    if total["failed"]:
        return failed([f"failed: {', '.join(total['failed'])}", *lines], total)
    if not last.ok:
        verdict = trouble(last)
        verdict.facts = total
        return verdict
    if not total["passed"]:
        return failed([f"expected tests for {wanted}, none passed ({total['skipped']} skipped)"], total)
    return passed(f"{total['passed']} tests, {total['skipped']} skipped", total)


OFF = {"GPUVAE_DEPENDENT_LAUNCHES": "0"}


def compare(c, variants, steps):
    """Runs the variants of fused steps, each in a separate process. All digests must equal those of the first variant."""
    digests, lines, facts = {}, [], {}
    for name, options, env in variants:
        run = yield Command(name, [c.program("gpu_probe"), "fused-steps", "--steps", steps, *options,
                                   *c.pick([], ["--preset", "small"])], env, share=0.6)
        found, verdict = experiment(run)
        if verdict and verdict.outcome == "not run":
            return verdict
        if verdict:
            lines += verdict.lines
            continue
        digests[name], facts[name] = found["digests"], found
        if found["dependent_launches"] != (env != OFF):
            lines.append(f"{name}: GPUVAE_DEPENDENT_LAUNCHES has no effect")
        if found["not_finite"]:
            lines.append(f"{name}: {found['not_finite']} weights are not finite")
    reference = variants[0][0]
    for name in digests:
        expected = digests.get(reference, {})
        wrong = [step for step, digest in digests[name].items() if expected.get(step) != digest]
        if expected and wrong:
            lines.append(f"{name}: bits differ from {reference} at step {wrong[0]} "
                         f"(equal before: {', '.join(s for s in digests[name] if s not in wrong) or 'none'})")
    if lines:
        return failed(lines, facts)
    return passed(f"{len(digests)} variants, {steps} steps each, equal bits", facts)


def dependent_launches(c):
    return (yield from compare(c, [("off, eager", [], OFF), ("on, eager", [], {}), ("off, graph", ["--graph"], OFF),
                                   ("on, graph", ["--graph"], {}), ("on, graph, again", ["--graph"], {})], c.steps))


def legacy_stream(c):
    return (yield from compare(c, [("separate stream", [], {}), ("stream 0", ["--legacy-stream"], {}),
                                   ("stream 0, dependent launches off", ["--legacy-stream"], OFF)],
                               c.pick(1000, min(c.steps, 10))))


def cublaslt(c):
    run = yield Command("cublaslt", [c.program("gpu_probe"), "cublaslt",
                                     *c.pick([], ["--rows", 12, "--depth", 40, "--widths", "2,4,16"])])
    found, verdict = experiment(run)
    if verdict:
        return verdict
    lines = []
    for row in found["rows"]:
        name = f"{row['epilogue']}, width {row['width']}, {row['precision']}"
        if not row.get("same_bits_twice", True):
            lines.append(f"{name}: the second run gives different bits")
        if row.get("mask_above_zero", "1") != "1" or row.get("mask_below_zero", "0") != "0":
            lines.append(f"{name}: the mask is {row['mask_above_zero']} above zero and {row['mask_below_zero']} below")
        bound = {"f32": 1e-6, "tf32": 1e-3, "bf16": 1e-2}[row["precision"]]
        if "error" in row and not row["error"] <= bound:
            lines.append(f"{name}: error {row['error']:.2g}, expected at most {bound:.0e}")
    usable = sum(row["usable"] for row in found["rows"])
    return failed(lines, found) if lines else passed(f"{usable} of {len(found['rows'])} epilogues are available", found)


PRODUCT_BOUNDS = {"ffma": 1e-6, "split_tf32": 1e-6, "tf32": 1e-3, "bf16": 1e-2}  # bounds on the largest error
MOST_DRIFT = 1.5e-7  # bound on the mean error toward the result, in absolute value; truncation makes it negative


def product_complaints(row):
    name, bound = f"{row['kind']}, tile {row['tile']}, {row['factors']}", PRODUCT_BOUNDS[row["kind"]]
    if row["not_finite"]:
        yield f"{name}: {row['not_finite']} elements are not finite"
    if not row["largest"] <= bound:
        yield f"{name}: error {row['largest']:.2g}, expected at most {bound:.0e}"
    if not row.get("of_bound", 0) <= 1:
        yield f"{name}: error {row['of_bound']:.2g} times the bound that holds for tensor cores that truncate"
    if bound == 1e-6 and not abs(row["mean_toward_result"]) <= MOST_DRIFT:
        yield f"{name}: mean error toward the result {row['mean_toward_result']:+.1e}, expected at most {MOST_DRIFT:.1e}"


def product_error(c):
    run = yield Command("product-error", [c.program("gpu_probe"), "product-error", "--seeds", c.pick(8, 2)])
    found, verdict = experiment(run)
    if verdict:
        return verdict
    lines = [line for row in found["rows"] for line in product_complaints(row)]
    worst = {kind: max(r["largest"] for r in found["rows"] if r["kind"] == kind) for kind in PRODUCT_BOUNDS}
    text = ", ".join(f"{kind} {error:.2g}" for kind, error in worst.items())
    return failed([*lines, text], found, lines[0]) if lines else passed(text, found)


SANITIZER_ADVICE = ("Run `compute-sanitizer --tool {} gpu_probe fused-steps --steps 1 --preset small` and read the kernel "
                    "and the line of the first finding.")
PARTS = (
    Part("round-trip", "copies and kernels of this build work", 10, 10, round_trip,
         "No other result is meaningful. Check that the build includes this GPU's architecture (CMAKE_CUDA_ARCHITECTURES) and "
         "that the driver supports the build's CUDA version."),
    Part("memcheck", "the fused step accesses no invalid memory, at the size of keras-mnist", 35, 25,
         sanitizer_part("memcheck"), "A kernel of the fused step accesses invalid memory. "
         + SANITIZER_ADVICE.format("memcheck") + " Until it is fixed, `--executor graph` trains without these kernels."),
    Part("memcheck-tests", f"{FUSED_TESTS} under memcheck", 40, 0, memcheck_tests,
         "Proceed as for memcheck. The last test in the log shows the sizes. A finding outside fused_* kernels names its "
         "kernel."),
    Part("racecheck", "the fused step has no races in shared memory", 25, 0, sanitizer_part("racecheck"),
         "A barrier is missing between the two accesses that the finding names. " + SANITIZER_ADVICE.format("racecheck")),
    Part("initcheck", "the fused step reads no uninitialised memory", 20, 0, sanitizer_part("initcheck"),
         "A kernel reads padding or a workspace before anything is written there. " + SANITIZER_ADVICE.format("initcheck")),
    Part("synccheck", "the fused step uses barriers and warp masks correctly", 20, 0, sanitizer_part("synccheck"),
         "A barrier or a shuffle is in divergent code. " + SANITIZER_ADVICE.format("synccheck")),
    Part("cases", "every kernel against the CPU backend", 60, 35, tests(KERNEL_CASES),
         "The named operation differs from the CPU's result: run that test alone, then under memcheck. If its error is just "
         "above the tolerance, compare with `product-error` and `cublaslt` before you change a bound."),
    Part("device-tests", "trainer, graphs, executors and the fused step on the device", 60, 35,
         tests(DEVICE_TESTS, FUSED_TESTS),
         "Run the named test alone with CUDA_LAUNCH_BLOCKING=1, so that the error is reported where it happens."),
    Part("dependent-launches", "dependent launches on and off, eager and in graphs: the same weights, bit for bit", 30, 15,
         dependent_launches,
         "A kernel reads data before its predecessor has written them, or overwrites data that its predecessor still reads: "
         "check the griddepcontrol.wait of the fused kernels. The result names the first step that differs. Until it is fixed, "
         "GPUVAE_DEPENDENT_LAUNCHES=0 trains correctly. If the runs with dependent launches off differ from one another, a "
         "kernel is not deterministic."),
    Part("cublaslt", "which epilogues are available, and how ReLU treats NaN and zero", 20, 10, cublaslt,
         "cuBLASLt does not do what its plan in kernels/cuda/gemm/matmul.cpp relies on: refuse the plan that the line names."),
    Part("product-error", "errors of the fused step's products against f64", 10, 5, product_error,
         "If the error of split TF32 is too large and its mean is negative, but ffma passes, the tensor cores truncate: the "
         "kernels must add shorter chunks of the sums outside the tensor cores. If ffma fails too, the product is wrong."),
    Part("legacy-stream", "fused steps on stream 0: the same bits as on a separate stream", 15, 0, legacy_stream,
         "Dependent launches order kernels differently on stream 0: disable them on stream 0, as the last variant does."),
    Part("step-times", "time per step of each executor, one graph of 100 steps", 30, 15, timing.step_times,
         "The named executor cannot run its preset: see the parts above. If they passed, run gpu_probe step-times for it.",
         False),
    Part("ceilings", "rates of a large copy and a large product", 10, 5, timing.ceilings,
         "Large allocations or products fail: look for other processes on the GPU (nvidia-smi).", False),
    Part("operations", "fused against unfused operations", 45, 20, timing.operations,
         "A benchmark stopped; the result contains those before it.", False),
    Part("training", "whole epochs of each executor", 25, 0, timing.training,
         "A training run stopped: its last lines name the preset and the executor.", False),
    Part("peers", "the same training in PyTorch and JAX", 25, 0, timing.peers,
         "The packages of a peer fail: run bench/peers/run.py for details.", False),
)
assert sum(p.limit for p in PARTS) <= TOTAL and sum(p.quick for p in PARTS) <= QUICK_TOTAL
