// Compares training with an independent implementation of a whole VAE in plain loops over doubles. It follows
// the formulas of Kingma and Welling (2013) and Hinton's RMSprop and uses the same images, order and noise.
#include <gtest/gtest.h>

#include <cmath>

#include "gpuvae/train.h"
#include "tests/cases/reference_random.h"

namespace gpuvae {
namespace {

constexpr int kPixels = 12, kHidden = 7, kLatent = 2, kImages = 50, kBatch = 10;
constexpr double kRate = 2e-3, kRho = 0.9, kEpsilon = 1e-7;
constexpr std::uint64_t kSeed = 5;
using Doubles = std::vector<double>;

// y = W x + b for one image, where W is [out, in].
struct Layer {
  int in, out;
  Doubles w, b, dw, db, vw, vb;
  Layer(int i, int o) : in(i), out(o), dw(i * o), db(o), vw(i * o), vb(o) {}
  Doubles forward(const Doubles& x) const {
    Doubles y = b;
    for (int o = 0; o < out; ++o)
      for (int i = 0; i < in; ++i) y[o] += w[o * in + i] * x[i];
    return y;
  }
  Doubles backward(const Doubles& x, const Doubles& dy) {
    Doubles dx(in, 0.0);
    for (int o = 0; o < out; ++o) {
      db[o] += dy[o];
      for (int i = 0; i < in; ++i) dw[o * in + i] += dy[o] * x[i], dx[i] += dy[o] * w[o * in + i];
    }
    return dx;
  }
  void update() {
    const auto step = [](Doubles& p, Doubles& g, Doubles& v) {
      for (std::size_t i = 0; i < p.size(); ++i) {
        v[i] = kRho * v[i] + (1 - kRho) * g[i] * g[i];
        p[i] -= kRate * g[i] / (std::sqrt(v[i]) + kEpsilon);
        g[i] = 0;
      }
    };
    step(w, dw, vw), step(b, db, vb);
  }
};

Doubles relu(Doubles v) {
  for (double& x : v) x = x > 0 ? x : 0;
  return v;
}
void mask(Doubles& d, const Doubles& h) {
  for (std::size_t i = 0; i < d.size(); ++i) d[i] = h[i] > 0 ? d[i] : 0;
}

struct NaiveVae {
  Layer encoder{kPixels, kHidden}, posterior{kHidden, 2 * kLatent}, decoder{kLatent, kHidden},
      output{kHidden, kPixels};

  // Returns the two terms of the negative ELBO of one image, reconstruction and KL, and adds `share` times
  // its gradient to the gradients of the layers.
  std::pair<double, double> image(const Doubles& x, std::uint32_t sample, std::uint64_t epoch,
                                  RandomPurpose purpose, std::uint64_t seed, double share) {
    const Doubles h1 = relu(encoder.forward(x)), posterior_params = posterior.forward(h1);
    Doubles z(kLatent), epsilon(kLatent);
    double kl = 0, reconstruction = 0;
    for (int d = 0; d < kLatent; ++d) {
      epsilon[d] = cases::reference_normal(seed, purpose, epoch, sample, static_cast<std::uint32_t>(d));
      z[d] = posterior_params[d] + epsilon[d] * std::exp(posterior_params[kLatent + d] / 2);
      kl -= 0.5 * (1 + posterior_params[kLatent + d] - posterior_params[d] * posterior_params[d] -
                   std::exp(posterior_params[kLatent + d]));
    }
    const Doubles h2 = relu(decoder.forward(z)), logits = output.forward(h2);
    Doubles d_logits(kPixels);
    for (int i = 0; i < kPixels; ++i) {
      const double p = 1 / (1 + std::exp(-logits[i]));
      reconstruction -= x[i] * std::log(p) + (1 - x[i]) * std::log(1 - p);
      d_logits[i] = share * (p - x[i]);
    }
    if (share == 0) return {reconstruction, kl};
    Doubles d_h2 = output.backward(h2, d_logits);
    mask(d_h2, h2);
    const Doubles d_z = decoder.backward(z, d_h2);
    Doubles d_posterior_params(2 * kLatent);
    for (int d = 0; d < kLatent; ++d) {
      const double variance = std::exp(posterior_params[kLatent + d]);
      d_posterior_params[d] = d_z[d] + share * posterior_params[d];
      d_posterior_params[kLatent + d] =
          d_z[d] * epsilon[d] * std::sqrt(variance) / 2 + share * (variance - 1) / 2;
    }
    Doubles d_h1 = posterior.backward(h1, d_posterior_params);
    mask(d_h1, h1);
    encoder.backward(x, d_h1);
    return {reconstruction, kl};
  }
  void update() { encoder.update(), posterior.update(), decoder.update(), output.update(); }
};

std::vector<std::uint8_t> bytes(int count) {
  std::vector<std::uint8_t> v;
  for (int i = 0; i < count * kPixels; ++i) v.push_back(static_cast<std::uint8_t>(i * i * 31 % 251));
  return v;
}

void follow(Device device) {
  VaeOptions options;
  options.features = kPixels;
  options.encoder_widths = {kHidden};
  options.initializer.seed = kSeed;
  Vae model(options, device);
  NaiveVae naive;
  Layer* layers[] = {&naive.encoder, &naive.posterior, &naive.decoder, &naive.output};
  const auto parameters = model.parameters();
  for (int i = 0; i < 4; ++i) {
    layers[i]->w = parameters[2 * i].variable.value().to_doubles();
    layers[i]->b = parameters[2 * i + 1].variable.value().to_doubles();
  }
  OptimizerOptions rmsprop = OptimizerOptions::defaults(OptimizerKind::rmsprop);
  rmsprop.learning_rate = kRate;
  Optimizer optimizer(model.parameters(), rmsprop);
  const auto pixels = bytes(kImages);
  const Dataset images{3, 4, Tensor::from(pixels, {kImages, kPixels}, device), {}};
  TrainOptions train;
  train.batch_size = kBatch;
  train.data.seed = kSeed;
  Trainer trainer(model, optimizer, images, images, train);
  const auto pixels_of = [&](int i) {
    Doubles x;
    for (int p = 0; p < kPixels; ++p) x.push_back(pixels[i * kPixels + p] / 255.0);
    return x;
  };

  for (std::uint64_t epoch = 0; epoch < 6; ++epoch) {
    const EpochResult result = trainer.run_epoch();
    double reconstruction = 0, kl = 0;
    for (std::uint64_t step = 0; step < kImages / kBatch; ++step) {
      const Clock clock{.step = epoch * (kImages / kBatch) + step, .steps_per_epoch = kImages / kBatch};
      const Tensor order = gather_batch(images.examples, kBatch, clock, train.data).samples.to(Device::cpu());
      for (int r = 0; r < kBatch; ++r) {
        const std::int32_t s = order.data_as<std::int32_t>()[r];
        const auto [a, b] = naive.image(pixels_of(s), static_cast<std::uint32_t>(s), epoch,
                                        RandomPurpose::posterior_noise, kSeed, 1.0 / kBatch);
        reconstruction += a / kImages;
        kl += b / kImages;
      }
      naive.update();
    }
    EXPECT_TRUE(std::fabs(result.train.reconstruction - reconstruction) <= 1e-5 * reconstruction)
        << "epoch " << epoch;
    EXPECT_TRUE(std::fabs(result.train.kl - kl) <= 1e-5 * reconstruction) << "epoch " << epoch;
    reconstruction = kl = 0;
    for (int i = 0; i < kImages; ++i) {
      const auto [a, b] = naive.image(pixels_of(i), static_cast<std::uint32_t>(i), epoch,
                                      RandomPurpose::validation_noise, kSeed, 0);
      reconstruction += a / kImages;
      kl += b / kImages;
    }
    EXPECT_TRUE(std::fabs(result.validation.reconstruction - reconstruction) <= 1e-5 * reconstruction);
    EXPECT_TRUE(std::fabs(result.validation.kl - kl) <= 1e-5 * reconstruction);
  }
  for (int i = 0; i < 4; ++i) {
    const auto w = parameters[2 * i].variable.value().to_doubles();
    for (std::size_t j = 0; j < w.size(); ++j)
      EXPECT_NEAR(w[j], layers[i]->w[j], 2e-4) << parameters[2 * i].name;
  }
}

TEST(Trainer, MatchesAnIndependentImplementation) { follow(Device::cpu()); }
TEST(Trainer, MatchesAnIndependentImplementationOnCuda) {
  if (Device::cuda_count() == 0) GTEST_SKIP() << "no GPU";
  follow(Device::cuda());
}

}  // namespace
}  // namespace gpuvae
