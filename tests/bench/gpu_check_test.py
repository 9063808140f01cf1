#!/usr/bin/env python3
"""Tests bench/gpu_check with programs that work, fail, hang, crash, or write nonsense, nothing or too much:
gpu_check_test.py SOURCE"""
import importlib.machinery, importlib.util, json, os, re, shutil, signal, subprocess, sys, tarfile, tempfile, threading, time
import unittest
from pathlib import Path

SOURCE = Path(sys.argv[1]).resolve()
sys.dont_write_bytecode = True
sys.path.insert(0, str(SOURCE / "bench"))
from gpucheck import execute as execution  # noqa: E402
from gpucheck.parts import PARTS, QUICK_TOTAL, TOTAL  # noqa: E402
from gpucheck.verdicts import failure_texts, sanitizer_verdict, tests_of  # noqa: E402

FAKE = SOURCE / "tests/bench/fake"
PROGRAMS = ("gpu_probe", "gpuvae_tests", "gpuvae_bench", "train_bench")
SCALE = 0.5  # scales the parts' time limits to between 5 and 30 seconds
SHORT = 0.1  # for parts in which a program hangs, because it runs until its limit


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


class GpuCheck(unittest.TestCase):
    def setUp(self):
        self.scale = SCALE
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.bin, self.out, self.tools = self.folder / "bin", self.folder / "out", self.folder / "tools"
        self.bin.mkdir()
        self.tools.mkdir()
        for name in PROGRAMS:
            shutil.copy(FAKE / "program.py", self.bin / name)
            (self.bin / name).chmod(0o755)
        shutil.copy(FAKE / "compute-sanitizer", self.tools)
        self.pids = self.folder / "pids"

    def command(self, *options):
        return list(map(str, [sys.executable, SOURCE / "bench/gpu_check", "--bin", self.bin, "--out", self.out, "--time-scale",
                              self.scale, *options]))

    def environment(self, fake):
        return {**os.environ, "PATH": f"{self.tools}:{os.environ['PATH']}", "FAKE": json.dumps(fake),
                "FAKE_PIDS": str(self.pids)}

    def check(self, *options, status=0, fake={}):
        done = subprocess.run(self.command(*options), env=self.environment(fake), capture_output=True, text=True)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return self.result() if status in (0, 1) else done

    def result(self):
        return json.loads((self.out / "gpu-check.json").read_text())

    def page(self):
        return (self.out / "gpu-check.md").read_text()

    def outcomes(self, result):
        return {name: part["outcome"] for name, part in result["parts"].items()}

    def expect_only(self, result, **different):
        """Expects all parts to pass except those named. The part `peers` cannot run, as its programs are missing."""
        expected = {p.name: "passed" for p in PARTS} | {"peers": "not run"}
        expected |= {name.replace("_", "-"): outcome for name, outcome in different.items()}
        self.assertEqual(self.outcomes(result), expected)

    def test_limits_add_up(self):
        self.assertLessEqual(sum(p.limit for p in PARTS), 480)
        self.assertLessEqual(sum(p.quick for p in PARTS), 180)
        self.assertEqual((TOTAL, QUICK_TOTAL), (480, 180))
        for p in PARTS:
            self.assertGreater(p.limit, 0)
            self.assertGreater(len(p.on_failure), 40, p.name)
            self.assertLessEqual(p.quick, p.limit, p.name)
        self.assertEqual(len({p.name for p in PARTS}), len(PARTS))
        decides = [p.decides for p in PARTS]
        self.assertEqual(decides, sorted(decides, reverse=True), "measurements come last")

    def test_sound_device(self):
        result = self.check()
        self.expect_only(result)
        self.assertEqual(result["environment"]["device"], "Fake GPU")
        self.assertEqual(len(result["programs"]), 4)
        self.assertIn("all deciding parts that ran passed", self.page())
        self.assertIn("| bce_with_logits/100x784/training | 3.0 | 30.0 | 10.0 |", self.page())
        self.assertLessEqual(len(list(self.out.iterdir())), 8)

    def test_misbehaviour_ends_one_part_only(self):
        cases = (("fail", "failed", "expected a sound device"), ("crash", "failed", "killed by SIGSEGV"),
                 ("garbage", "failed", "cublaslt"), ("nothing", "failed", "expected a JSON object"),
                 ("flood", "failed", "too much output"), ("hang", "out of time", "out of time after"))
        for how, outcome, said in cases:
            with self.subTest(how):
                self.scale = SHORT if how == "hang" else SCALE
                result = self.check("--from", "cublaslt", status=1, fake={"gpu_probe cublaslt": how})
                expected = {"cublaslt": outcome, "product-error": "passed", "legacy-stream": "passed", "step-times": "passed",
                            "ceilings": "passed", "operations": "passed", "training": "passed", "peers": "not run"}
                self.assertEqual(self.outcomes(result), expected)
                self.assertIn("gpu-check: failed: cublaslt", self.page())
                self.assertIn(said, self.page())
                self.assertIn("refuse the plan", self.page())  # the page says what to do next
                shutil.rmtree(self.out)

    def test_every_part_may_hang(self):
        """The limits hold even if every part hangs, and no process is left."""
        self.scale, start = 0.02, time.monotonic()
        everything = ("gpuvae_tests", "gpuvae_bench", "train_bench", "gpu_probe fused", "gpu_probe round", "gpu_probe c",
                      "gpu_probe p", "gpu_probe s")
        result = self.check(status=1, fake=dict.fromkeys(everything, "hang"))
        self.assertLess(time.monotonic() - start, TOTAL * self.scale + 8)
        self.assertEqual(set(self.outcomes(result).values()), {"out of time", "failed", "not run"})
        pids = self.pids.read_text().split()
        self.assertGreater(len(pids), 10)
        self.assertEqual([p for p in pids if alive(p)], [])

    def test_measurements_do_not_decide(self):
        self.check(fake={"gpuvae_bench": "crash", "gpu_probe step-times --presets flex-mnist": "fail"})
        self.scale = SHORT
        result = self.check("--only", "training", fake={"train_bench": "hang"})
        self.expect_only(result, operations="failed", training="out of time", step_times="failed")
        self.assertEqual(len(result["parts"]["step-times"]["result"]["rows"]), 6)  # rows of the other two presets
        self.assertIn("Measurements that failed: step-times, operations, training", self.page())

    def test_races_of_dependent_launches_are_seen(self):
        result = self.check("--only", "dependent-launches", status=1, fake={"gpu_probe fused-steps": "race"})
        lines = "\n".join(result["parts"]["dependent-launches"]["lines"])
        self.assertIn("on, eager: bits differ from off, eager at step 10000 (equal before: 1)", lines)
        self.assertNotIn("off, graph:", lines)
        self.assertIn("GPUVAE_DEPENDENT_LAUNCHES=0 trains correctly", self.page())
        self.check("--only", "dependent-launches", status=1, fake={"gpu_probe fused-steps": "no switch"})
        self.assertIn("off, graph: GPUVAE_DEPENDENT_LAUNCHES has no effect", self.page())

    def test_truncation_is_seen(self):
        self.check("--only", "product-error", status=1, fake={"gpu_probe product-error": "truncates"})
        self.assertIn("split_tf32, tile 16, floats: error 5e-06, expected at most 1e-06", self.page())

    def test_sticky_errors_and_crashes_in_tests(self):
        result = self.check("--only", "cases", status=1, fake={"gpuvae_tests": "sticky"})
        facts = result["parts"]["cases"]["result"]
        self.assertEqual((facts["failed"], facts["passed"]), (["Suite.Second"], 3))
        self.assertIn("Suite.Second: illegal memory access", "\n".join(result["parts"]["cases"]["lines"]))
        result = self.check("--only", "cases", status=1, fake={"gpuvae_tests": "crash in test"})
        facts = result["parts"]["cases"]["result"]
        self.assertEqual((facts["failed"], facts["passed"]), (["Suite.Third"], 3))
        result = self.check("--only", "cases", status=1, fake={"gpuvae_tests": "wrong"})
        self.assertEqual(result["parts"]["cases"]["result"]["failed"], ["Suite.Fourth"])
        self.assertIn("expected 1, got 2", self.page())
        result = self.check("--only", "cases", status=1, fake={"gpuvae_tests": "nothing"})
        self.assertIn("none passed", result["parts"]["cases"]["lines"][0])

    def test_sanitizer(self):
        result = self.check("--only", "memcheck", "--only", "racecheck", status=1,
                            fake={"gpu_probe fused-steps --steps 3 --preset small": "work",
                                  "gpu_probe fused-steps": "sanitizer finding"})
        self.assertEqual(self.outcomes(result), {"memcheck": "failed", "racecheck": "passed"})
        self.assertIn("fused_forward.cu:84", self.page())
        result = self.check("--only", "memcheck", fake={"gpu_probe fused-steps": "refused"})
        self.assertEqual(self.outcomes(result)["memcheck"], "not run")
        self.assertIn("refused the device", self.page())
        result = self.check("--only", "memcheck", fake={"gpu_probe fused-steps": "unsupported"})
        self.assertEqual(self.outcomes(result)["memcheck"], "not run")
        result = self.check("--only", "memcheck", status=1, fake={"gpu_probe fused-steps": "nothing"})
        self.assertEqual(self.outcomes(result)["memcheck"], "failed")
        self.scale = SHORT
        result = self.check("--only", "synccheck", status=1, fake={"gpu_probe fused-steps": "hang"})
        self.assertEqual(self.outcomes(result)["synccheck"], "out of time")

    def test_without_sanitizer(self):
        if list(Path("/usr/local").glob("cuda*/bin/compute-sanitizer")) or shutil.which("compute-sanitizer"):
            self.skipTest("compute-sanitizer is installed")
        (self.tools / "compute-sanitizer").unlink()
        result = self.check("--only", "memcheck", "--only", "round-trip")
        self.assertEqual(self.outcomes(result), {"round-trip": "passed", "memcheck": "not run"})
        self.assertIn("Not run, hence unknown: memcheck", self.page())
        self.assertIn("compute-sanitizer not found", self.page())

    def test_json_is_always_complete_even_after_sigkill(self):
        reads, stop = [], threading.Event()

        def read():
            while not stop.is_set():
                if (self.out / "gpu-check.json").exists():
                    reads.append(len(self.result()["parts"]))
                time.sleep(0.001)

        self.scale = 3  # long enough that the part still hangs when this test kills gpu_check
        reader = threading.Thread(target=read)
        reader.start()
        child = subprocess.Popen(self.command(), env=self.environment({"gpu_probe product-error": "hang"}),
                                 stdout=subprocess.DEVNULL)
        while child.poll() is None and not (self.pids.exists() and self.pids.read_text().endswith("\n")):
            time.sleep(0.01)
        self.scale = SCALE
        child.send_signal(signal.SIGKILL)
        child.wait()
        stop.set()
        reader.join()
        self.assertGreater(len(set(reads)), 5)
        result = self.result()
        self.assertEqual(list(result["parts"])[-1], "cublaslt")
        time.sleep(0.3)
        self.assertFalse(alive(self.pids.read_text().split()[0]))
        before = result["parts"]["cases"]
        self.expect_only(self.check("--from", "product-error"))
        self.assertEqual(self.result()["parts"]["cases"], before)

    def test_only_quick_and_list(self):
        result = self.check("--quick")
        self.assertEqual(list(result["parts"]), [p.name for p in PARTS if p.quick])
        self.check("--only", "cublaslt", status=1, fake={"gpu_probe cublaslt": "fail"})
        self.assertEqual(list(self.result()["parts"]), [p.name for p in PARTS if p.quick])  # the other results are kept, in order
        listed = subprocess.run([SOURCE / "bench/gpu_check", "--list"], capture_output=True, text=True).stdout
        for p in PARTS:
            self.assertRegex(listed, rf"(?m)^{p.name} +{p.limit} s .*{re.escape(p.purpose[:30])}")

    def test_exit_statuses(self):
        done = self.check(status=3, fake={"gpu_probe device": "fail"})
        self.assertEqual((done.stdout, done.stderr.count("\n")), ("", 1))
        self.assertIn("no usable GPU: [gpu] expected a sound device", done.stderr)
        self.assertFalse(self.out.exists())
        (self.bin / "gpu_probe").unlink()
        done = self.check(status=2)
        self.assertIn("expected gpu_probe in", done.stderr)

    def test_invalid_arguments(self):
        """Invalid arguments give status 2 and one line, instead of a traceback with the status of a failed part."""
        nothing = self.folder / "nothing"
        nothing.touch()
        empty = self.folder / "empty.tar"
        with tarfile.open(empty, "w") as file:
            file.add(nothing, "top/nothing")
        for options, words in ((("--bundle", self.folder / "none"), "expected a folder or an archive"),
                               (("--bundle", nothing), "expected an archive"),
                               (("--bundle", empty), "expected a folder bin"),
                               (("--out", nothing), "expected an output folder"),
                               (("--out", nothing / "below"), "expected an output folder"),
                               (("--time-scale", "nan"), "expected a positive number"),
                               (("--rehearse", "0"), "expected a positive number of steps")):
            done = self.check(*options, status=2)
            self.assertIn(words, done.stderr)
            self.assertNotIn("Traceback", done.stderr)

    def test_results_of_other_versions(self):
        """Parts of an earlier result that cannot be read are left out."""
        self.out.mkdir()
        device = {"device": "Fake GPU"}
        for earlier in ([1, 2], {"environment": [], "parts": 3}, {"environment": device, "parts": ["memcheck"]},
                        {"environment": device, "parts": {"memcheck": 5, "cases": {"outcome": "passed"}, "gone": {}}}):
            (self.out / "gpu-check.json").write_text(json.dumps(earlier))
            self.assertEqual(self.outcomes(self.check("--only", "round-trip")), {"round-trip": "passed"})

    def test_two_runs_with_one_output_folder(self):
        first = subprocess.Popen(self.command("--only", "cublaslt"), env=self.environment({"gpu_probe cublaslt": "hang"}),
                                 stdout=subprocess.DEVNULL)
        while first.poll() is None and not self.pids.exists():
            time.sleep(0.05)
        done = self.check("--only", "cublaslt", status=2)
        self.assertIn("another gpu_check is using", done.stderr)
        first.send_signal(signal.SIGINT)
        self.assertEqual(first.wait(10), 128 + signal.SIGINT)
        self.assertFalse([p for p in self.pids.read_text().split() if alive(int(p))])
        self.check("--only", "cublaslt")

    def test_bundle(self):
        (self.folder / "lib").mkdir()
        (self.folder / "data").mkdir()
        archive = self.folder / "bundle.tar.gz"
        with tarfile.open(archive, "w:gz") as file:
            for name in ("bin", "lib", "data"):
                file.add(self.folder / name, f"top/{name}")
        shutil.rmtree(self.bin)
        result = self.check("--bundle", archive, "--only", "round-trip")
        self.assertEqual(self.outcomes(result), {"round-trip": "passed"})

    def test_libraries_of_a_bundle(self):
        """Libraries that the machine already has are left out."""
        loader = importlib.machinery.SourceFileLoader("gpu_check", str(SOURCE / "bench/gpu_check"))
        script = importlib.util.module_from_spec(importlib.util.spec_from_loader("gpu_check", loader))
        loader.exec_module(script)
        (self.folder / "lib").mkdir()
        for name in ("libc.so.6", "libnobody-has-this.so.3"):
            (self.folder / "lib" / name).touch()
        links = script.lacking_libraries(self.folder / "lib", self.folder / "links")
        self.assertEqual([p.name for p in links.iterdir()], ["libnobody-has-this.so.3"])

    def test_full_disk(self):
        """A program that fills the disk is stopped."""
        execution.MOST_DISK, before = 1 << 20, execution.MOST_DISK
        self.addCleanup(setattr, execution, "MOST_DISK", before)
        command = execution.Command("fill", ["sh", "-c", "head -c 20M /dev/zero >file; sleep 60"])
        run = execution.execute(command, 30, dict(os.environ), self.folder, self.folder)
        self.assertEqual(run.outcome, "too much output")
        self.assertLess(run.seconds, 10)

    def test_results_that_cannot_be_written(self):
        """If results cannot be written, the run continues, reports it and keeps its exit status."""
        self.out.mkdir()
        (self.out / "gpu-check.json").mkdir()
        done = subprocess.run(self.command("--only", "cublaslt"), env=self.environment({"gpu_probe cublaslt": "fail"}),
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("cannot write gpu-check.json", done.stderr)

    def test_log_formats_of_the_real_tools(self):
        """Uses logs in the formats that compute-sanitizer and GoogleTest write."""
        def log(text, status=0):
            return execution.Run("tool", "tool", "ended", status, log=text)
        race = log("========= COMPUTE-SANITIZER\n========= Error: Race reported between Write access at k+0x90 in a.cu:3\n"
                   "========= RACECHECK SUMMARY: 1 hazard displayed (1 error, 0 warnings)\n", 9)
        self.assertIn("a.cu:3", "\n".join(sanitizer_verdict(race).lines))
        self.assertEqual(sanitizer_verdict(log("========= ERROR SUMMARY: 0 errors\n")).outcome, "passed")
        self.assertEqual(sanitizer_verdict(log("========= ERROR SUMMARY: 2 errors\n", 9)).outcome, "failed")
        self.assertEqual(sanitizer_verdict(log("done\n")).outcome, "failed")
        found = tests_of("[ RUN      ] A/B.C/0\n[       OK ] A/B.C/0 (3 ms)\n"
                         "[ RUN      ] A/B.C/1\n[  SKIPPED ] A/B.C/1 (0 ms)\n"
                         "[ RUN      ] A/B.C/2\nf.cpp:1: Failure\nx\n[  FAILED  ] A/B.C/2, where GetParam() = 7 (1 ms)\n"
                         "[ RUN      ] D.E\n")
        self.assertEqual((found["passed"], found["skipped"], found["failed"], found["running"]), (1, 1, ["A/B.C/2"], "D.E"))
        self.assertEqual(failure_texts("[ RUN      ] D.E\nf.cpp:1: Failure\n  x\n[  FAILED  ] D.E\n"),
                         ["D.E", "  f.cpp:1: Failure", "    x"])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[2:])
