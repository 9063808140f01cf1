"""Trains with PyTorch. Variants: eager; compile, compile-cpp (with the C++ wrapper), compile-max-autotune and
compile-reduce-overhead compile the whole step, optimiser included, as one graph; graph-N-eager and graph-N-compile
capture N steps as one CUDA graph, over eager code with a capturable optimiser (fused for Adam) or over compiled
code."""
import math

import torch
from torch.nn import functional as F

import images
from child import Skip


class Vae(torch.nn.Module):
    """The model; forward() returns the loss in nats per image, averaged over the batch. One matrix product computes both
    heads of a layer, and each head is initialised like a separate layer. Without `noise`, epsilon is drawn."""

    def __init__(self, config, pixels):
        super().__init__()
        hidden, latent = config["hidden"], config["latent"]
        self.gaussian = config["likelihood"] == "gaussian"
        self.activation = torch.tanh if config["activation"] == "tanh" else F.relu
        self.scale, self.noise_std = config["posterior"], config["noise_std"]
        self.share = 1 / pixels if config["pixel_mean"] else 1
        self.encoder = layer(config, pixels, hidden)
        self.posterior = layer(config, hidden, latent, 2)
        self.decoder = layer(config, latent, hidden)
        self.head = layer(config, hidden, pixels, 2 if self.gaussian else 1)

    def forward(self, x, noise=None):
        mean, s = self.posterior(self.activation(self.encoder(x))).chunk(2, 1)
        sigma, kl = self.sigma_and_kl(mean, s)
        epsilon = torch.randn_like(mean) if noise is None else noise
        z = mean + (epsilon if self.noise_std == 1 else self.noise_std * epsilon) * sigma
        out = self.head(self.activation(self.decoder(z)))
        reconstruction = self.reconstruction(out, x)
        return ((reconstruction if self.share == 1 else self.share * reconstruction) + kl) / x.shape[0]

    def sigma_and_kl(self, mean, s):
        """Returns the standard deviations of q(z | x) and the sum of its KL divergences to the standard normal."""
        if self.scale == "log_variance":
            return torch.exp(0.5 * s), 0.5 * (s.exp() + mean.square() - 1 - s).sum()
        sigma = s.exp() if self.scale == "log_sigma" else F.softplus(s) + 1e-6
        return sigma, (0.5 * (sigma.square() + mean.square() - 1) - sigma.log()).sum()

    def reconstruction(self, out, x):
        if not self.gaussian:
            return F.binary_cross_entropy_with_logits(out, x, reduction="sum")
        logits, log_variance = out.chunk(2, 1)
        log_variance = log_variance.clamp(-5, 5)
        squared = (x - logits.sigmoid()).square() * torch.exp(-log_variance)
        return 0.5 * (squared + log_variance + math.log(2 * math.pi)).sum()


def layer(config, inputs, outputs, heads=1):
    linear = torch.nn.Linear(inputs, outputs * heads)
    if config["init"] == "small":
        torch.nn.init.normal_(linear.weight, 0, 0.01)
        torch.nn.init.normal_(linear.bias, 0, 0.01)
        return linear
    torch.nn.init.zeros_(linear.bias)
    if config["init"] == "two_over_root_fan_in":
        torch.nn.init.normal_(linear.weight, 0, 2 / inputs**0.5)
        return linear
    for part in linear.weight.data.chunk(heads):
        torch.nn.init.xavier_uniform_(part)
    return linear


class RmspropTf1(torch.optim.Optimizer):
    """RMSProp of TensorFlow 1: epsilon is inside the root, and the mean of squares begins at 1."""

    def __init__(self, parameters, learning_rate, decay, epsilon):
        super().__init__(parameters, {"lr": learning_rate, "decay": decay, "epsilon": epsilon})
        self.squares = [[torch.ones_like(p) for p in group["params"]] for group in self.param_groups]

    @torch.no_grad()
    def step(self):
        for group, squares in zip(self.param_groups, self.squares):
            parameters, gradients = group["params"], [p.grad for p in group["params"]]
            torch._foreach_mul_(squares, group["decay"])
            torch._foreach_addcmul_(squares, gradients, gradients, 1 - group["decay"])
            roots = torch._foreach_add(squares, group["epsilon"])
            torch._foreach_sqrt_(roots)
            torch._foreach_addcdiv_(parameters, gradients, roots, -group["lr"])


class Training:
    """The state on the device: images, order of the epoch, weights, sum of the losses."""

    def __init__(self, config):
        device = config["device"]
        self.config, self.batch, self.options = config, config["batch"], config["optimizer"]
        self.images = torch.from_numpy(images.training(config).copy()).to(device)
        self.count = self.images.shape[0]
        self.steps = self.count // self.batch
        self.order = torch.zeros(self.steps, self.batch, dtype=torch.long, device=device)
        self.total = torch.zeros((), device=device)
        self.model = Vae(config, self.images.shape[1]).to(device)
        self.parameters = dict(self.model.named_parameters())
        self.noise = self.frozen_noise(self.count)
        self.held_out = None  # the validation images and their noise

    def frozen_noise(self, count):
        if not self.config["frozen_noise"]:
            return None
        return torch.randn(count, self.config["latent"], device=self.images.device)

    def shuffle(self):
        if self.config["shuffle"]:
            order = torch.randperm(self.count, device=self.images.device)
        else:
            order = torch.arange(self.count, device=self.images.device)
        self.order.copy_(order[:self.steps * self.batch].view(self.steps, self.batch))
        self.total.zero_()

    def gather(self, index):
        return self.images.index_select(0, index).float().mul(1 / 255)

    def batch_of(self, index):
        """Returns the arguments of the model: the images, and their noise if it is frozen."""
        x = self.gather(index)
        return (x,) if self.noise is None else (x, self.noise.index_select(0, index))

    def mean_loss(self):
        return self.total.item() / self.steps

    @torch.no_grad()
    def validate(self):
        """Returns the mean loss of the validation images."""
        if self.held_out is None:
            x = torch.from_numpy(images.validation(self.config).copy()).to(self.images.device).float().mul(1 / 255)
            self.held_out = x, self.frozen_noise(x.shape[0])
        return self.model(*self.held_out).item()


def eager_optimizer(o, parameters, l2, capturable):
    rate, decay = o["learning_rate"], 2 * l2
    if o["kind"] == "adam":
        return torch.optim.Adam(parameters, rate, (o["beta1"], o["beta2"]), o["epsilon"], decay, fused=True,
                                capturable=capturable)
    if o["kind"] == "sgd":
        return torch.optim.SGD(parameters, rate, weight_decay=decay, fused=True)
    if o["kind"] == "rmsprop_tf1":
        if l2:
            raise ValueError("expected no L2 penalty with rmsprop_tf1")
        return RmspropTf1(parameters, rate, o["beta2"], o["epsilon"])
    return torch.optim.RMSprop(parameters, rate, o["beta2"], o["epsilon"], decay, foreach=True,  # there is no fused form
                               capturable=capturable)


def eager_step(t):
    optimizer = eager_optimizer(t.options, list(t.model.parameters()), t.config["l2"], t.images.is_cuda)

    def step(index):
        loss = t.model(*t.batch_of(index))
        optimizer.zero_grad(set_to_none=True)
        (t.batch * loss if t.config["batch_sum"] else loss).backward()
        optimizer.step()
        t.total.add_(loss.detach())

    return step


def functional_step(t):
    """Returns the same step without an outer autograd tape, so that one compiled graph can hold all of it."""
    o = t.options
    square = torch.ones_like if o["kind"] == "rmsprop_tf1" else torch.zeros_like
    slots = {n: (torch.zeros_like(p), square(p)) for n, p in t.parameters.items()}
    count = torch.zeros((), device=t.total.device)
    state = [p.detach() for p in t.parameters.values()] + [s for pair in slots.values() for s in pair]
    for tensor in state + [count, t.total, t.images]:
        torch._dynamo.mark_static_address(tensor)  # otherwise CUDA graphs are skipped ("mutated inputs")
    weights = dict(zip(t.parameters, state))

    def loss_of(parameters, *inputs):
        return torch.func.functional_call(t.model, parameters, inputs)

    def rmsprop(p, g, _, square):
        square.mul_(o["beta2"]).addcmul_(g, g, value=1 - o["beta2"])
        p.addcdiv_(g, square.sqrt() + o["epsilon"], value=-o["learning_rate"])

    def rmsprop_tf1(p, g, _, square):
        square.mul_(o["beta2"]).addcmul_(g, g, value=1 - o["beta2"])
        p.addcdiv_(g, (square + o["epsilon"]).sqrt(), value=-o["learning_rate"])

    def adam(p, g, mean, square):
        mean.lerp_(g, 1 - o["beta1"])
        square.mul_(o["beta2"]).addcmul_(g, g, value=1 - o["beta2"])
        root = square.sqrt() / (1 - o["beta2"] ** count).sqrt() + o["epsilon"]
        p.sub_(o["learning_rate"] / (1 - o["beta1"] ** count) * mean / root)

    def sgd(p, g, *_):
        p.sub_(o["learning_rate"] * g)

    update = {"rmsprop": rmsprop, "rmsprop_tf1": rmsprop_tf1, "adam": adam, "sgd": sgd}[o["kind"]]

    @torch.no_grad()
    def step(index):
        gradients, loss = torch.func.grad_and_value(loss_of)(weights, *t.batch_of(index))
        count.add_(1)
        for name, g in gradients.items():
            if t.config["batch_sum"]:
                g = t.batch * g
            if t.config["l2"]:
                g = g + 2 * t.config["l2"] * weights[name]
            update(weights[name], g, *slots[name])
        t.total.add_(loss)

    return step


def compiled_step(t, mode):
    if mode == "cpp":
        torch._inductor.config.cpp_wrapper = True
    compiled = torch.compile(functional_step(t), fullgraph=True, dynamic=False, mode=mode if "-" in mode else "default")

    def step(index):
        torch.compiler.cudagraph_mark_step_begin()
        compiled(index)

    return step if mode == "reduce-overhead" or t.images.is_cuda and mode == "max-autotune" else compiled


def captured_epoch(t, step, unrolled):
    """Trains an epoch by launching one CUDA graph of `unrolled` steps; each step finds its batch with a counter on
    the device."""
    while t.steps % unrolled:
        unrolled -= 1
    counter = torch.zeros(1, dtype=torch.long, device=t.images.device)

    def next_step():
        step(t.order.index_select(0, counter).view(-1))
        counter.add_(1)

    t.shuffle()
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):  # lazy state and compilation must precede the capture
        for _ in range(3):
            next_step()
            counter.zero_()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for _ in range(unrolled):
            next_step()

    def epoch():
        t.shuffle()
        counter.zero_()
        for _ in range(t.steps // unrolled):
            graph.replay()
        return t.mean_loss()

    return epoch


def training(config):
    """Returns two functions: one trains an epoch, the other evaluates the validation images. Both return a mean loss."""
    on_gpu, variant = config["device"] == "cuda", config["variant"]
    if on_gpu and not torch.cuda.is_available():
        raise Skip(f"torch {torch.__version__} sees no GPU")
    torch.manual_seed(config["seed"])
    torch.set_float32_matmul_precision("highest")
    if not on_gpu:
        torch.set_flush_denormal(True)  # set before the first parallel region, so that its threads inherit the mode
        torch.set_num_threads(config["threads"])
    t = Training(config)
    kind, _, rest = variant.partition("-")
    if kind == "graph":
        unrolled, _, over = rest.partition("-")
        step = eager_step(t) if over == "eager" else compiled_step(t, "default")
        return captured_epoch(t, step, int(unrolled)), t.validate
    step = eager_step(t) if kind == "eager" else compiled_step(t, rest or "default")

    def epoch():
        t.shuffle()
        for index in t.order.unbind(0):
            step(index)
        return t.mean_loss()

    return epoch, t.validate


def setup(config):
    return training(config)[0]


def versions():
    return {"torch": torch.__version__, "torch CPU": torch.backends.cpu.get_cpu_capability(),
            "MKL": torch.backends.mkl.is_available(), "oneDNN": torch.backends.mkldnn.is_available()}


def notes():
    """Returns the compiler's counts of skipped CUDA graphs by reason. A count above 0 means that reduce-overhead had no
    effect."""
    return {k: v for k, v in torch._dynamo.utils.counters["inductor"].items() if "cudagraph" in k}
