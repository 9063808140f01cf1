"""The trainings that are timed, with the settings shared by gpuvae and every peer. Uses the standard library only."""
from dataclasses import asdict, dataclass, field, replace


@dataclass(frozen=True)
class Optimizer:
    kind: str  # rmsprop, rmsprop_tf1, adam or sgd
    learning_rate: float
    beta1: float = 0
    beta2: float = 0  # rho of rmsprop
    # Added to the square root: rmsprop as in Keras; adam after the bias correction. rmsprop_tf1 adds it inside the root,
    # and its mean of squares begins at 1.
    epsilon: float = 0


@dataclass(frozen=True)
class Workload:
    name: str
    data: str  # mnist or frey
    preset: str
    hidden: int
    likelihood: str  # bernoulli (from logits), or gaussian: sigmoid mean, log variance clipped to [-5, 5]
    optimizer: Optimizer
    flags: tuple = ()  # flags of gpuvae's program, in addition to the preset
    latent: int = 2
    batch: int = 100  # an incomplete last batch is left out
    # How long a turn is, and how the training losses of turns are compared. Not used by time_to_loss.
    turn: dict = field(default_factory=dict)  # device -> epochs per turn
    warm_up: dict = field(default_factory=dict)  # device -> epochs before the first turn
    judged_epoch: int = 0  # the epoch whose training losses are compared
    band: float = 0  # relative tolerance around our loss: the spread of seeds plus a margin (bench/NOTES.md)
    # What only some of the published systems have, which torch_peer.py and jax_peer.py implement.
    activation: str = "relu"  # or tanh
    posterior: str = "log_variance"  # meaning of the encoder's second output: log_variance, log_sigma or softplus
    init: str = "glorot"  # glorot, two_over_root_fan_in, or small: N(0, 0.01^2) for weights and biases
    noise_std: float = 1
    frozen_noise: bool = False  # one epsilon per image for the whole run
    pixel_mean: bool = False  # the reconstruction loss is the mean over the pixels
    batch_sum: bool = False  # the gradient is that of the sum over the batch
    l2: float = 0  # factor of the sum of the squares of all weights and biases, which is not part of the printed loss
    shuffle: bool = True
    binarize: bool = False  # a pixel is 1 if its value is above 0.5, else 0
    train_images: int = 0  # the first so many images of the training set; 0 means all
    # An importance-weighted autoencoder: the number of draws of z per image, and binarisation at every visit. Only jax_iwae.py
    # implements it, with two hidden layers in encoder and decoder.
    draws: int = 1
    validation: str = "test"  # the test set, or the rest of the training set
    validation_images: int = 0  # the first so many; 0 means all

    def config(self):
        """Returns what a peer needs to know."""
        left_out = ("data", "preset", "flags", "turn", "warm_up", "judged_epoch", "band")
        return {n: v for n, v in asdict(self).items() if n not in left_out}


ADAM = Optimizer("adam", 1e-3, 0.9, 0.999, 1e-8)
RMSPROP = Optimizer("rmsprop", 1e-3, beta2=0.9, epsilon=1e-7)
FRESH = ("--frozen-noise=false",)

WORKLOADS = {w.name: w for w in (
    Workload("keras-mnist", "mnist", "keras-mnist", 256, "bernoulli", RMSPROP,
             turn={"cpu": 1, "cuda": 5}, warm_up={"cpu": 1, "cuda": 3}, judged_epoch=3, band=0.02),
    Workload("flex-mnist", "mnist", "flex-mnist", 200, "bernoulli", ADAM, FRESH,
             turn={"cpu": 1, "cuda": 5}, warm_up={"cpu": 1, "cuda": 3}, judged_epoch=5, band=0.02),
    Workload("flex-frey", "frey", "flex-frey", 200, "gaussian", ADAM, FRESH,
             turn={"cpu": 20, "cuda": 20}, warm_up={"cpu": 10, "cuda": 10}, judged_epoch=30, band=0.04),
    Workload("iwae-50", "mnist", "default", 200, "bernoulli", ADAM,
             ("--hidden", "200,200", "--latent", "50", "--activation", "tanh", "--batch-size", "20", "--learning-rate",
              "0.001", "--binarize", "dynamic", "--objective", "iwae", "--objective-samples", "50"),
             latent=50, batch=20, activation="tanh", draws=50, turn={"cpu": 1, "cuda": 1}, warm_up={"cpu": 1, "cuda": 1},
             judged_epoch=2, band=0.02))}

# The published systems as they were published, for time_to_loss. The same settings as in apps/cli/presets.cpp.
PUBLISHED = {w.name: w for w in (
    WORKLOADS["keras-mnist"],
    replace(WORKLOADS["flex-mnist"], flags=(), frozen_noise=True),
    replace(WORKLOADS["flex-frey"], flags=(), frozen_noise=True),
    Workload("keras-frey", "frey", "keras-frey", 256, "bernoulli", ADAM, noise_std=0.01, pixel_mean=True,
             validation_images=100),
    Workload("tf-mnist", "mnist", "tf-mnist", 200, "bernoulli", Optimizer("rmsprop_tf1", 1e-3, beta2=0.9, epsilon=1e-10),
             latent=100, batch=64, posterior="softplus", init="two_over_root_fan_in", batch_sum=True, binarize=True,
             train_images=42000),
    Workload("theano-mnist", "mnist", "theano-mnist", 500, "bernoulli", Optimizer("sgd", 1e-3), activation="tanh",
             posterior="log_sigma", init="small", l2=0.01, shuffle=False, train_images=50000, validation="rest"))}
