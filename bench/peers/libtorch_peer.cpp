// The training of torch_peer.py through libtorch's C++ interface in eager mode, with no Python between the
// operations. libtorch_peer.py builds and loads this file.
#include <ATen/Parallel.h>
#include <torch/nn/init.h>
#include <torch/nn/modules/linear.h>
#include <torch/optim/adam.h>
#include <torch/optim/rmsprop.h>
#include <torch/types.h>
#include <torch/utils.h>
#include <torch/version.h>

#include <cmath>
#include <memory>
#include <numbers>
#include <string>

namespace {

using torch::Tensor;

torch::nn::Linear glorot(int64_t inputs, int64_t outputs, int64_t heads = 1) {
  torch::nn::Linear layer(inputs, outputs * heads);
  const torch::NoGradGuard guard;
  for (Tensor part : layer->weight.chunk(heads)) torch::nn::init::xavier_uniform_(part);
  layer->bias.zero_();
  return layer;
}

struct Vae : torch::nn::Module {
  Vae(int64_t pixels, int64_t hidden, int64_t latent, bool gaussian_likelihood)
      : gaussian(gaussian_likelihood),
        encoder(register_module("encoder", glorot(pixels, hidden))),
        posterior(register_module("posterior", glorot(hidden, latent, 2))),
        decoder(register_module("decoder", glorot(latent, hidden))),
        head(register_module("head", glorot(hidden, pixels, gaussian ? 2 : 1))) {}

  // Returns the negative ELBO, averaged over the batch.
  Tensor loss(const Tensor& x) {
    const auto code = posterior->forward(torch::relu(encoder->forward(x))).chunk(2, 1);
    const Tensor &mean = code[0], &log_variance = code[1];
    const Tensor z = mean + torch::randn_like(mean) * torch::exp(0.5 * log_variance);
    const Tensor out = head->forward(torch::relu(decoder->forward(z)));
    const Tensor kl = 0.5 * (log_variance.exp() + mean.square() - 1 - log_variance).sum();
    return (reconstruction(out, x) + kl) / x.size(0);
  }

  Tensor reconstruction(const Tensor& out, const Tensor& x) const {
    if (!gaussian) return torch::binary_cross_entropy_with_logits(out, x, {}, {}, at::Reduction::Sum);
    const auto parts = out.chunk(2, 1);
    const Tensor log_variance = parts[1].clamp(-5, 5);
    const Tensor squared = (x - parts[0].sigmoid()).square() * torch::exp(-log_variance);
    return 0.5 * (squared + log_variance + std::log(2 * std::numbers::pi)).sum();
  }

  bool gaussian;
  torch::nn::Linear encoder, posterior, decoder, head;
};

struct Training {
  Tensor images, total;
  int64_t batch = 0;
  std::shared_ptr<Vae> model;
  std::unique_ptr<torch::optim::Optimizer> optimizer;
};

Training training;
std::string error;

}  // namespace

extern "C" {

struct Settings {
  const unsigned char* images;  // [count, pixels]
  int64_t count, pixels, hidden, latent, batch, seed, threads;
  int gaussian, adam, cuda;
  double learning_rate, beta1, beta2, epsilon;
};

const char* peer_error() { return error.c_str(); }
const char* peer_version() { return TORCH_VERSION; }

// Returns 0, or 1 with a message in peer_error().
int peer_setup(const Settings* s) try {
  const torch::Device device(s->cuda ? torch::kCUDA : torch::kCPU);
  torch::manual_seed(s->seed);
  if (!s->cuda) {
    at::globalContext().setFlushDenormal(true);
    torch::set_num_threads(static_cast<int>(s->threads));
  }
  Training t;
  t.batch = s->batch;
  t.images = torch::from_blob(const_cast<unsigned char*>(s->images), {s->count, s->pixels}, torch::kUInt8)
                 .clone()
                 .to(device);
  t.total = torch::zeros({}, device);
  t.model = std::make_shared<Vae>(s->pixels, s->hidden, s->latent, s->gaussian != 0);
  t.model->to(device);
  if (s->adam)
    t.optimizer = std::make_unique<torch::optim::Adam>(
        t.model->parameters(),
        torch::optim::AdamOptions(s->learning_rate).betas({s->beta1, s->beta2}).eps(s->epsilon));
  else
    t.optimizer = std::make_unique<torch::optim::RMSprop>(
        t.model->parameters(),
        torch::optim::RMSpropOptions(s->learning_rate).alpha(s->beta2).eps(s->epsilon));
  training = std::move(t);
  return 0;
} catch (const std::exception& e) {
  error = e.what();
  return 1;
}

// Trains one epoch in a new order and returns its mean training loss, or NaN with a message in peer_error().
double peer_epoch() try {
  Training& t = training;
  const int64_t count = t.images.size(0), steps = count / t.batch;
  const Tensor order = torch::randperm(count, torch::TensorOptions(torch::kLong).device(t.images.device()));
  t.total.zero_();
  for (int64_t i = 0; i < steps; ++i) {
    const Tensor index = order.narrow(0, i * t.batch, t.batch);
    const Tensor x = t.images.index_select(0, index).to(torch::kFloat32).mul_(1.0 / 255);
    const Tensor loss = t.model->loss(x);
    t.optimizer->zero_grad();
    loss.backward();
    t.optimizer->step();
    t.total.add_(loss.detach());
  }
  return t.total.item<double>() / static_cast<double>(steps);
} catch (const std::exception& e) {
  error = e.what();
  return std::nan("");
}
}
