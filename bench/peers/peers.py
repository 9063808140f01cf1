"""The list of peers, and the class through which run.py controls a peer's process. Uses the standard library only."""
import ctypes
import json
import os
import select
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
COMMAND_BUFFERS = ("--xla_gpu_enable_command_buffer=FUSION,CUBLAS,CUBLASLT,CUSTOM_CALL,WHILE "
                   "--xla_gpu_command_buffer_unroll_loops=true --xla_gpu_graph_min_graph_size=1")


@dataclass(frozen=True)
class Peer:
    name: str
    module: str
    variant: str
    devices: tuple = ("cpu", "cuda")
    why_not: str = ""  # why the peer does not run on the other devices
    short: bool = False  # whether the peer is part of a short run
    environment: dict = field(default_factory=dict, hash=False)


def all_peers():
    gpu = {"devices": ("cuda",), "why_not": "CUDA graphs need a GPU"}
    yield Peer("torch eager", "torch_peer", "eager", short=True)
    yield Peer("torch compile", "torch_peer", "compile", short=True)
    yield Peer("torch compile, C++ wrapper", "torch_peer", "compile-cpp", short=True)
    yield Peer("torch compile, max-autotune", "torch_peer", "compile-max-autotune")
    yield Peer("torch compile, reduce-overhead", "torch_peer", "compile-reduce-overhead", **gpu)
    for over in ("eager", "compile"):
        for steps in (1, 50):
            yield Peer(f"torch {over}, CUDA graph of {steps}", "torch_peer", f"graph-{steps}-{over}", **gpu)
    yield Peer("libtorch C++", "libtorch_peer", "eager", short=True)
    yield Peer("jax jit", "jax_peer", "jit")
    for unroll in (1, 4, 10):
        yield Peer(f"jax scan, unroll {unroll}", "jax_peer", f"scan-{unroll}", short=unroll == 1)
    for unroll in (1, 10):
        yield Peer(f"jax scan, unroll {unroll}, rbg", "jax_peer", f"scan-{unroll}-rbg")
    yield Peer("jax scan, command buffers", "jax_peer", "scan-1-rbg", ("cuda",), "command buffers need a GPU",
               environment={"XLA_FLAGS": COMMAND_BUFFERS})
    for backend in ("tensorflow", "jax", "torch"):
        yield Peer(f"keras on {backend}", "keras_peer", backend, short=backend == "tensorflow")
    for backend in ("tensorflow", "jax"):
        yield Peer(f"keras on {backend}, 50 steps per execution", "keras_peer", f"{backend}-50")


class Trouble(Exception):
    """The peer cannot continue. `kind` is skipped or failed."""

    def __init__(self, kind, reason):
        super().__init__(reason)
        self.kind = kind


def environment(peer, threads, device, scratch):
    """Returns the environment variables of a peer's process. `scratch` holds its compiler cache."""
    threads = str(threads)
    return os.environ | {
        "OMP_NUM_THREADS": threads, "GPUVAE_NUM_THREADS": threads, "MKL_NUM_THREADS": threads,
        "TORCHINDUCTOR_CACHE_DIR": str(scratch), "TORCHINDUCTOR_COMPILE_THREADS": "1", "JAX_PLATFORMS": device,
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false", "TF_CPP_MIN_LOG_LEVEL": "2",
        "PYTHONDONTWRITEBYTECODE": "1"} | peer.environment


def end_with_parent():
    """Runs in a child process and ends it with this process: a stopped process does not notice that its driver is
    gone."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


def use_processors(count, device):
    """Runs in a child process on the CPU. Restricts its processors, because XLA and TensorFlow start one thread per
    available processor."""
    if device == "cpu":
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])


class Process:
    """A peer's process, which is stopped between its turns: threads that spin while they wait would slow down the
    peer whose turn it is."""

    def __init__(self, peer, config, python, folder, timeout):
        slug = "".join(c if c.isalnum() else "-" for c in peer.name) + f"-{config['threads']}"
        scratch = folder / "scratch" / slug  # a separate compiler cache, so that compile times are those of a first run
        scratch.mkdir(parents=True, exist_ok=True)
        self.timeout, self.log = timeout, folder / f"{slug}.log"
        threads, device = config["threads"], config["device"]

        def prepare():
            use_processors(threads, device)
            end_with_parent()

        with open(self.log, "w") as log:
            self.child = subprocess.Popen(
                [python, str(HERE / "child.py"), peer.module, json.dumps(config | {"variant": peer.variant})],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, bufsize=1,
                env=environment(peer, threads, device, scratch), start_new_session=True, preexec_fn=prepare)
        try:
            self.ready = self.reply()
            self.signal(signal.SIGSTOP)
        except BaseException:
            self.close()
            raise

    def signal(self, number):
        """Sends a signal to the process and to the compilers that it started, which are in its session."""
        try:
            os.killpg(self.child.pid, number)
        except ProcessLookupError:
            pass

    def reply(self):
        if not select.select([self.child.stdout], [], [], self.timeout)[0]:
            raise Trouble("failed", f"no answer in {self.timeout:.0f} s")
        line = self.child.stdout.readline()
        if not line:
            raise Trouble("failed", f"ended with status {self.child.wait()}, see {self.log}")
        answer = json.loads(line)
        for kind in ("skipped", "failed"):
            if kind in answer:
                raise Trouble(kind, answer[kind])
        return answer

    def turn(self, epochs):
        """Trains `epochs` further epochs and returns {"seconds": [...], "losses": [...]}."""
        self.signal(signal.SIGCONT)
        try:
            self.child.stdin.write(f"{epochs}\n")
            self.child.stdin.flush()
        except BrokenPipeError:
            pass  # reply() reports what happened
        answer = self.reply()
        self.signal(signal.SIGSTOP)
        return answer

    def close(self):
        self.signal(signal.SIGCONT)
        try:
            self.child.stdin.close()
            self.child.wait(5)
        except (subprocess.TimeoutExpired, BrokenPipeError):
            pass
        self.signal(signal.SIGKILL)
        self.child.wait()
