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
    """The model; forward() returns the negative ELBO, averaged over the batch. One matrix product computes both heads of
    a layer, and each head is initialised like a separate layer."""

    def __init__(self, config, pixels):
        super().__init__()
        hidden, latent = config["hidden"], config["latent"]
        self.gaussian = config["likelihood"] == "gaussian"
        self.encoder = glorot(pixels, hidden)
        self.posterior = glorot(hidden, latent, 2)
        self.decoder = glorot(latent, hidden)
        self.head = glorot(hidden, pixels, 2 if self.gaussian else 1)

    def forward(self, x):
        mean, log_variance = self.posterior(F.relu(self.encoder(x))).chunk(2, 1)
        z = mean + torch.randn_like(mean) * torch.exp(0.5 * log_variance)
        out = self.head(F.relu(self.decoder(z)))
        kl = 0.5 * (log_variance.exp() + mean.square() - 1 - log_variance).sum()
        return (self.reconstruction(out, x) + kl) / x.shape[0]

    def reconstruction(self, out, x):
        if not self.gaussian:
            return F.binary_cross_entropy_with_logits(out, x, reduction="sum")
        logits, log_variance = out.chunk(2, 1)
        log_variance = log_variance.clamp(-5, 5)
        squared = (x - logits.sigmoid()).square() * torch.exp(-log_variance)
        return 0.5 * (squared + log_variance + math.log(2 * math.pi)).sum()


def glorot(inputs, outputs, heads=1):
    layer = torch.nn.Linear(inputs, outputs * heads)
    for part in layer.weight.data.chunk(heads):
        torch.nn.init.xavier_uniform_(part)
    torch.nn.init.zeros_(layer.bias)
    return layer


class Training:
    """The state on the device: images, order of the epoch, weights, sum of the losses."""

    def __init__(self, config):
        device = config["device"]
        self.batch, self.options = config["batch"], config["optimizer"]
        self.images = torch.from_numpy(images.read(config["images"], config["limit"]).copy()).to(device)
        self.count = self.images.shape[0]
        self.steps = self.count // self.batch
        self.order = torch.zeros(self.steps, self.batch, dtype=torch.long, device=device)
        self.total = torch.zeros((), device=device)
        self.model = Vae(config, self.images.shape[1]).to(device)
        self.parameters = dict(self.model.named_parameters())

    def shuffle(self):
        order = torch.randperm(self.count, device=self.images.device)
        self.order.copy_(order[:self.steps * self.batch].view(self.steps, self.batch))
        self.total.zero_()

    def gather(self, index):
        return self.images.index_select(0, index).float().mul(1 / 255)

    def mean_loss(self):
        return self.total.item() / self.steps


def eager_step(t):
    o, on_gpu = t.options, t.images.is_cuda
    if o["kind"] == "adam":
        optimizer = torch.optim.Adam(t.model.parameters(), o["learning_rate"], (o["beta1"], o["beta2"]), o["epsilon"],
                                     fused=True, capturable=on_gpu)
    else:  # RMSprop has no fused form
        optimizer = torch.optim.RMSprop(t.model.parameters(), o["learning_rate"], o["beta2"], o["epsilon"],
                                        foreach=True, capturable=on_gpu)

    def step(index):
        loss = t.model(t.gather(index))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        t.total.add_(loss.detach())

    return step


def functional_step(t):
    """Returns the same step without an outer autograd tape, so that one compiled graph can hold all of it."""
    o = t.options
    slots = {n: (torch.zeros_like(p), torch.zeros_like(p)) for n, p in t.parameters.items()}
    count = torch.zeros((), device=t.total.device)
    state = [p.detach() for p in t.parameters.values()] + [s for pair in slots.values() for s in pair]
    for tensor in state + [count, t.total, t.images]:
        torch._dynamo.mark_static_address(tensor)  # otherwise CUDA graphs are skipped ("mutated inputs")
    weights = dict(zip(t.parameters, state))

    def loss_of(parameters, x):
        return torch.func.functional_call(t.model, parameters, (x,))

    def rmsprop(p, g, square):
        square.mul_(o["beta2"]).addcmul_(g, g, value=1 - o["beta2"])
        p.addcdiv_(g, square.sqrt() + o["epsilon"], value=-o["learning_rate"])

    def adam(p, g, mean, square):
        mean.lerp_(g, 1 - o["beta1"])
        square.mul_(o["beta2"]).addcmul_(g, g, value=1 - o["beta2"])
        root = square.sqrt() / (1 - o["beta2"] ** count).sqrt() + o["epsilon"]
        p.sub_(o["learning_rate"] / (1 - o["beta1"] ** count) * mean / root)

    @torch.no_grad()
    def step(index):
        gradients, loss = torch.func.grad_and_value(loss_of)(weights, t.gather(index))
        count.add_(1)
        for name, g in gradients.items():
            if o["kind"] == "adam":
                adam(weights[name], g, *slots[name])
            else:
                rmsprop(weights[name], g, slots[name][1])
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


def setup(config):
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
        return captured_epoch(t, eager_step(t) if over == "eager" else compiled_step(t, "default"), int(unrolled))
    step = eager_step(t) if kind == "eager" else compiled_step(t, rest or "default")

    def epoch():
        t.shuffle()
        for index in t.order.unbind(0):
            step(index)
        return t.mean_loss()

    return epoch


def versions():
    return {"torch": torch.__version__, "torch CPU": torch.backends.cpu.get_cpu_capability(),
            "MKL": torch.backends.mkl.is_available(), "oneDNN": torch.backends.mkldnn.is_available()}


def notes():
    """Returns the compiler's counts of skipped CUDA graphs by reason. A count above 0 means that reduce-overhead had no
    effect."""
    return {k: v for k, v in torch._dynamo.utils.counters["inductor"].items() if "cudagraph" in k}
