"""The trainings that are timed, with the settings shared by gpuvae and every peer. Uses the standard library only."""
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Optimizer:
    kind: str  # rmsprop or adam
    learning_rate: float
    beta1: float
    beta2: float  # rho of rmsprop
    epsilon: float  # added to the square root: rmsprop as in Keras; adam after the bias correction


@dataclass(frozen=True)
class Workload:
    name: str
    data: str  # mnist or frey
    preset: str
    flags: tuple  # flags of gpuvae's program, in addition to the preset
    hidden: int
    likelihood: str  # bernoulli (from logits), or gaussian: sigmoid mean, log variance clipped to [-5, 5]
    optimizer: Optimizer
    turn: dict  # device -> epochs per turn
    warm_up: dict  # device -> epochs before the first turn
    judged_epoch: int  # the epoch whose training losses are compared
    band: float  # relative tolerance around our loss: the spread of seeds plus a margin (bench/NOTES.md)
    latent: int = 2
    batch: int = 100

    def config(self):
        names = ("name", "hidden", "latent", "batch", "likelihood")
        return {n: getattr(self, n) for n in names} | {"optimizer": asdict(self.optimizer)}


ADAM = Optimizer("adam", 1e-3, 0.9, 0.999, 1e-8)
FRESH = ("--frozen-noise=false",)

WORKLOADS = {w.name: w for w in (
    Workload("keras-mnist", "mnist", "keras-mnist", (), 256, "bernoulli", Optimizer("rmsprop", 1e-3, 0, 0.9, 1e-7),
             {"cpu": 1, "cuda": 5}, {"cpu": 1, "cuda": 3}, 3, 0.02),
    Workload("flex-mnist", "mnist", "flex-mnist", FRESH, 200, "bernoulli", ADAM,
             {"cpu": 1, "cuda": 5}, {"cpu": 1, "cuda": 3}, 5, 0.02),
    Workload("flex-frey", "frey", "flex-frey", FRESH, 200, "gaussian", ADAM,
             {"cpu": 20, "cuda": 20}, {"cpu": 10, "cuda": 10}, 30, 0.04))}
