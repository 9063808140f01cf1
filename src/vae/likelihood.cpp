#include "gpuvae/vae.h"

namespace gpuvae {
namespace {

class Bernoulli final : public Likelihood {
 public:
  std::string name() const override { return "bernoulli"; }
  int params_per_pixel() const override { return 1; }
  Variable negative_log_likelihood(const Variable& logits, const Variable& x, double weight) const override {
    return bce_with_logits(logits, x, weight);
  }
  Variable mean(const Variable& logits) const override { return activate(logits, Activation::sigmoid); }
};

class Gaussian final : public Likelihood {
 public:
  explicit Gaussian(const GaussianOptions& options) : options_(options) {}
  std::string name() const override { return "gaussian"; }
  int params_per_pixel() const override { return 2; }
  Variable negative_log_likelihood(const Variable& params, const Variable& x, double weight) const override {
    return gaussian_nll(params, x, options_, weight);
  }
  Variable mean(const Variable& params) const override {
    const Variable m = columns(params, 0, params.shape()[1] / 2);
    return options_.sigmoid_mean ? activate(m, Activation::sigmoid) : m;
  }

 private:
  GaussianOptions options_;
};

}  // namespace

std::shared_ptr<const Likelihood> bernoulli_likelihood() { return std::make_shared<Bernoulli>(); }
std::shared_ptr<const Likelihood> gaussian_likelihood(const GaussianOptions& options) {
  return std::make_shared<Gaussian>(options);
}

}  // namespace gpuvae
