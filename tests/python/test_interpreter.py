"""Threads, signals and the end of the interpreter."""

import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest

import gpuvae

LONG_RUN = """
import threading, time, sys
import numpy as np
import gpuvae
vae = gpuvae.VAE(hidden=(256,), epochs=10**6, verbose=False)
X = np.random.default_rng(0).normal(size=(5000, 50))
def fit(**arguments):
    return vae.fit(X, **arguments)
"""


def python(code):
    return subprocess.Popen([sys.executable, "-c", LONG_RUN + textwrap.dedent(code)], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True)


def test_ctrl_c_ends_the_training():
    process = python("""
        def started(result):
            print("started", flush=True) if result["epoch"] == 1 else None
        try:
            fit(callback=started)
        except KeyboardInterrupt:
            print("interrupted")
    """)
    assert process.stdout.readline() == "started\n"
    sent = time.monotonic()
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert (output, process.returncode) == ("interrupted\n", 0), errors
    assert time.monotonic() - sent < 20


def test_ctrl_c_ends_the_scores():
    process = python("""
        vae.set_params(epochs=1).fit(X)
        try:
            print("started", flush=True)
            vae.score_samples(X, samples=10**6)
        except KeyboardInterrupt:
            print("interrupted")
    """)
    assert process.stdout.readline() == "started\n"
    sent = time.monotonic()
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert (output, process.returncode) == ("interrupted\n", 0), errors
    assert time.monotonic() - sent < 20


def test_exit_while_a_daemon_thread_trains():
    process = python("""
        started = threading.Event()
        def run():
            try:
                fit(callback=lambda result: started.set())
            except RuntimeError as error:
                print(error, flush=True)
        threading.Thread(target=run, daemon=True).start()
        started.wait()
    """)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert errors == ""
    assert output == "" or "the interpreter exits" in output


def test_a_forked_child_exits_and_can_train():
    process = python("""
        import os
        started, stop = threading.Event(), threading.Event()
        def watch(result):
            started.set()
            return stop.is_set()
        thread = threading.Thread(target=fit, kwargs={"callback": watch})
        thread.start()
        started.wait()
        child = os.fork()
        if child == 0:
            gpuvae.VAE(hidden=(8,), epochs=1, verbose=False).fit(X[:100])
            sys.exit(7)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        stop.set()
        thread.join()
    """)
    output, errors = process.communicate(timeout=60)
    assert (output, process.returncode) == ("7\n", 0), errors


def test_other_threads_run_while_the_library_trains(rows):
    vae = gpuvae.VAE(hidden=(64,), epochs=10**6, verbose=False)
    stop = threading.Event()
    thread = threading.Thread(target=lambda: vae.fit(rows, callback=lambda result: stop.is_set()))
    thread.start()
    counted, end = 0, time.monotonic() + 0.5
    while time.monotonic() < end:
        counted += 1
    stop.set()
    thread.join()
    # Without the release of the GIL, this thread would count nothing before the end of the training.
    assert counted > 1000
    assert len(vae.history_) > 1


def test_models_on_several_threads_give_the_same_bits(rows):
    results = {}

    def fit(name):
        results[name] = gpuvae.VAE(hidden=(16,), epochs=5, verbose=False).fit(rows).transform(rows)

    threads = [threading.Thread(target=fit, args=[i]) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    fit("alone")
    assert all((codes == results["alone"]).all() for codes in results.values())


class Capsule:
    """An array that claims to be on a device of the given kind."""

    def __init__(self, array, kind):
        self.array, self.kind = array, kind

    def __dlpack_device__(self):
        return (self.kind, 0)

    def __dlpack__(self, **arguments):
        return self.array.__dlpack__(**arguments)


def test_dlpack(rows):
    vae = gpuvae.VAE(hidden=(8,), epochs=1, verbose=False).fit(Capsule(rows, 1))
    assert (vae.transform(Capsule(rows, 1)) == vae.transform(rows)).all()
    cuda, vulkan = 2, 7
    with pytest.raises((RuntimeError, ValueError), match="CUDA|DLPack"):
        vae.transform(Capsule(rows, cuda))
    with pytest.raises(ValueError, match="on device 0 of DLPack's kind 7"):
        vae.transform(Capsule(rows, vulkan))
    with pytest.raises(ValueError, match="pass the array that exports it"):
        vae.transform(rows.__dlpack__())


def test_progress_bar(rows, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    gpuvae.VAE(hidden=(8,), epochs=2, verbose=True).fit(rows)
    assert "epoch 1/2" in capsys.readouterr().err
    gpuvae.VAE(hidden=(8,), epochs=2).fit(rows)
    assert capsys.readouterr().err == ""


def test_import_is_quick():
    # The time of the processor, because other tests run at the same time
    command = "import time; t = time.process_time(); import gpuvae; print(time.process_time() - t)"
    seconds = [float(subprocess.check_output([sys.executable, "-c", command])) for _ in range(5)]
    assert min(seconds) < 0.3
    command = "import sys, gpuvae; print([name for name in ('sklearn', 'numpy', 'pandas') if name in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", command], text=True) == "[]\n"
