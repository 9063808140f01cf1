"""The callback that receives the messages of the library."""

import subprocess
import sys
import textwrap
import threading

import pytest

import gpuvae


@pytest.fixture
def log():
    """Receives messages during a test."""
    messages = []
    gpuvae.set_log(lambda *message: messages.append(message))
    yield messages
    gpuvae.set_log(None)


def vae(**others):
    return gpuvae.VAE(**{"hidden": (8,), "epochs": 2, "verbose": False, **others})


def test_messages_arrive_before_the_call_returns(log, rows):
    vae().fit(rows)
    level, operation, text = log[0]
    assert (level, operation) == ("info", "train")
    assert "executor" in text
    assert len(log) == 1


def test_levels_and_removal(log, rows):
    gpuvae.set_log(lambda *message: log.append(message), "warning")
    vae().fit(rows)
    assert log == []
    gpuvae.set_log(lambda *message: log.append(message), lowest="debug")
    vae().fit(rows)
    assert any(level == "info" for level, _, _ in log)
    gpuvae.set_log(None)
    count = len(log)
    vae().fit(rows)
    assert len(log) == count
    with pytest.raises(ValueError, match="expected debug, info or warning as lowest level, got loud"):
        gpuvae.set_log(print, "loud")
    with pytest.raises(TypeError, match="expected a function or None"):
        gpuvae.set_log(3)


def test_an_exception_of_the_callback_changes_nothing(rows, monkeypatch):
    reported = []
    monkeypatch.setattr(sys, "unraisablehook", lambda report: reported.append(report.exc_value))

    def broken(level, operation, text):
        raise RuntimeError(text)

    gpuvae.set_log(broken)
    try:
        codes = vae().fit(rows).transform(rows)
    finally:
        gpuvae.set_log(None)
    assert len(reported) == 1 and "executor" in str(reported[0])
    assert (codes == vae().fit(rows).transform(rows)).all()


def test_the_callback_may_call_the_library(log, rows):
    fitted = vae().fit(rows)
    results = []
    gpuvae.set_log(lambda *message: results.append(fitted.transform(rows)))
    vae().fit(rows)
    assert len(results) == 1 and (results[0] == fitted.transform(rows)).all()
    gpuvae.set_log(lambda *message: gpuvae.set_log(None))  # the callback may also remove itself
    vae().fit(rows)


# Runs in a separate process with a time limit, because a deadlock would stop the tests.
THREADS = """
    import sys, threading, time
    import numpy as np
    import gpuvae

    sys.setswitchinterval(1e-5)
    X = np.random.default_rng(0).normal(size=(2000, 30))
    messages, threads_of_messages = [], set()
    def receive(level, operation, text):
        messages.append((level, operation, text))
        threads_of_messages.add(threading.get_ident())
        time.sleep(0)
    gpuvae.set_log(receive, "debug")
    stop = threading.Event()
    def count():
        while not stop.is_set():
            sum(range(1000))
    def train(seed):
        for _ in range(5):
            vae = gpuvae.VAE(hidden=(64,), epochs=2, batch_size=500, seed=seed, verbose=False).fit(X)
            vae.score(X, samples=2)
    def change():
        while not stop.is_set():
            gpuvae.set_log(receive, "debug")
            gpuvae.set_num_threads(2)
            gpuvae.num_threads()
    workers = [threading.Thread(target=train, args=[i]) for i in range(4)]
    others = [threading.Thread(target=target) for target in (count, change)]
    for thread in (*workers, *others):
        thread.start()
    for thread in workers:
        thread.join()
    stop.set()
    for thread in others:
        thread.join()
    gpuvae.set_log(receive, "debug")  # delivers what waits
    print(sum(operation == "train" and level == "info" for level, operation, _ in messages))
    assert all(level in ("debug", "info", "warning") and "\\n" not in text for level, _, text in messages)
"""


def test_threads_train_while_others_hold_the_interpreter():
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(THREADS)], capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stdout) == (0, "20\n"), done.stderr


def test_exit_with_a_callback_and_a_daemon_thread():
    code = """
        import threading, numpy as np, gpuvae
        started = threading.Event()
        gpuvae.set_log(lambda *message: started.set(), "debug")
        X = np.random.default_rng(0).normal(size=(2000, 30))
        def run():
            try:
                gpuvae.VAE(epochs=10**6, verbose=False).fit(X)
            except RuntimeError:
                pass
        threading.Thread(target=run, daemon=True).start()
        started.wait()
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_forked_child_has_the_callback():
    code = """
        import os, sys, numpy as np, gpuvae
        messages = []
        gpuvae.set_log(lambda *message: messages.append(message))
        X = np.random.default_rng(0).normal(size=(200, 5))
        gpuvae.VAE(epochs=1, verbose=False).fit(X)
        child = os.fork()
        if child == 0:
            gpuvae.VAE(epochs=1, verbose=False).fit(X)
            os._exit(len(messages))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), len(messages))
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stdout) == (0, "2 1\n"), done.stderr
