// The likelihoods of bytes, counts and categories.
#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "gpuvae/distributions.h"
#include "kernels/check.h"
#include "src/distributions/built_in.h"
#include "src/distributions/discrete_draws.h"
#include "src/distributions/output_means.h"

namespace gpuvae {
namespace {

// Returns the logs of means times `factor`. A mean of 0 would start at a count that can never be larger.
std::vector<double> log_means(std::span<const double> means, double factor) {
  std::vector<double> logs;
  for (const double m : means) logs.push_back(std::log(factor * std::max(m, 0.001)));
  return logs;
}

// The kernels clip the logs of means and of inverse dispersions to this range.
double clipped_exp(double x) { return std::exp(std::clamp(x, -40.0, 40.0)); }

class DiscretizedLogistic final : public Likelihood {
 public:
  explicit DiscretizedLogistic(const DiscretizedLogisticOptions& options) : options_(options) {}
  std::string name() const override { return "discretised logistic"; }
  const DiscretizedLogisticOptions& options() const { return options_; }
  int params_per_feature() const override { return 2; }
  bool supports_missing_values() const override { return true; }
  Variable log_density(const Variable& params, const Variable& x) const override {
    return discretized_logistic_log_density(params, x, options_);
  }
  Variable negative_log_likelihood(const Variable& params, const Variable& x, double weight) const override {
    return discretized_logistic_nll(params, x, options_, weight);
  }
  Variable mean(const Variable& params) const override {
    const Variable location = columns(params, 0, params.shape()[1] / 2);
    return options_.sigmoid_location ? activate(location, Activation::sigmoid) : location;
  }
  // Inverse transform sampling: the byte whose interval contains a draw of the logistic distribution.
  Tensor sample(const Variable& params, const Noise& noise) const override {
    const NoGradGuard no_grad;
    const std::int64_t width = params.shape()[1] / 2;
    const std::vector<float> m = mean(params).value().to_vector();
    const std::vector<float> l = columns(params, width, width).value().to_vector();
    const Shape shape{params.shape()[0], width};
    std::vector<float> x = random_uniform(shape, noise).to_vector();
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double u = x[i], scale = std::exp(std::clamp(double{l[i]}, options_.low, options_.high));
      const double byte = std::floor(256 * (m[i] + scale * (std::log(u) - std::log1p(-u))));
      x[i] = static_cast<float>(std::clamp(byte, 0.0, 255.0) / 255);
    }
    return Tensor::from(x, shape, params.device());
  }
  bool repeats_targets() const override { return true; }
  std::vector<double> outputs_of_mean(std::span<const double> means) const override {
    return location_outputs(means, options_.sigmoid_location, 2);
  }

 private:
  DiscretizedLogisticOptions options_;
};

class Poisson final : public Likelihood {
 public:
  std::string name() const override { return "Poisson"; }
  bool supports_missing_values() const override { return true; }
  bool is_count() const override { return true; }
  Variable log_density(const Variable& log_mean, const Variable& x) const override {
    return poisson_log_density(log_mean, x);
  }
  Variable negative_log_likelihood(const Variable& log_mean, const Variable& x,
                                   double weight) const override {
    return poisson_nll(log_mean, x, weight);
  }
  Variable mean(const Variable& log_mean) const override { return exp(clamp(log_mean, -40, 40)); }
  Tensor sample(const Variable& log_mean, const Noise& noise) const override {
    const std::vector<double> means = mean(log_mean).value().to_doubles();
    const std::vector<double> k(means.size(), std::numeric_limits<double>::infinity());
    return count_draws(means, k, {}, log_mean.shape(), noise, log_mean.device());
  }
  bool repeats_targets() const override { return true; }
  std::vector<double> outputs_of_mean(std::span<const double> means) const override {
    return log_means(means, 1);
  }
};

// The negative binomial distribution with a learned dispersion per feature, and its zero-inflated form.
class NegativeBinomial final : public Likelihood {
 public:
  explicit NegativeBinomial(bool zero_inflated) : zero_inflated_(zero_inflated) {}
  std::string name() const override {
    return zero_inflated_ ? "zero-inflated negative binomial" : "negative binomial";
  }
  std::shared_ptr<Likelihood> clone() const override {
    return std::make_shared<NegativeBinomial>(zero_inflated_);
  }
  int params_per_feature() const override { return zero_inflated_ ? 2 : 1; }
  bool supports_missing_values() const override { return true; }
  bool is_count() const override { return true; }

  void initialize(const ModelContext& context) override {
    log_size_ = Variable(Tensor::zeros({context.features}, DType::f32, context.device), true);
  }
  void collect(std::vector<Parameter>& into) const override {
    if (log_size_) into.push_back({"likelihood.log_inverse_dispersion", log_size_, true});
  }

  Variable log_density(const Variable& params, const Variable& x) const override {
    return zero_inflated_ ? zero_inflated_negative_binomial_log_density(all_params(params), x)
                          : negative_binomial_log_density(all_params(params), x);
  }
  Variable negative_log_likelihood(const Variable& params, const Variable& x, double weight) const override {
    return zero_inflated_ ? zero_inflated_negative_binomial_nll(all_params(params), x, weight)
                          : negative_binomial_nll(all_params(params), x, weight);
  }
  Variable mean(const Variable& params) const override {
    const Variable counted = exp(clamp(columns(params, 0, features(params)), -40, 40));
    return zero_inflated_ ? counted * activate(-gate(params), Activation::sigmoid) : counted;
  }
  Tensor sample(const Variable& params, const Noise& noise) const override {
    const NoGradGuard no_grad;
    const std::int64_t width = features(params);
    std::vector<double> means = columns(params, 0, width).value().to_doubles();
    const std::vector<double> r = log_size_.value().to_doubles();
    std::vector<double> k(means.size()), empty;
    for (std::size_t i = 0; i < means.size(); ++i) {
      means[i] = clipped_exp(means[i]);
      k[i] = clipped_exp(r[i % r.size()]);
    }
    if (zero_inflated_) empty = activate(gate(params), Activation::sigmoid).value().to_doubles();
    return count_draws(means, k, empty, {params.shape()[0], width}, noise, params.device());
  }
  bool repeats_targets() const override { return true; }
  // With the gates at 0, half of the counts are zeros, so that the others need twice the mean.
  std::vector<double> outputs_of_mean(std::span<const double> means) const override {
    std::vector<double> outputs = log_means(means, zero_inflated_ ? 2 : 1);
    outputs.resize(means.size() * static_cast<std::size_t>(params_per_feature()));
    return outputs;
  }

 private:
  std::int64_t features(const Variable& params) const { return params.shape()[1] / params_per_feature(); }
  Variable gate(const Variable& params) const { return columns(params, features(params), features(params)); }
  // Returns the parameters of the operations: the log means, the log inverse dispersions, and the gates.
  Variable all_params(const Variable& params) const {
    const std::int64_t width = features(params);
    const Tensor zeros = Tensor::zeros({params.shape()[0], width}, params.dtype(), params.device());
    const Variable sizes = zeros + log_size_;
    if (!zero_inflated_) return concat({params, sizes}, Axis::columns);
    return concat({columns(params, 0, width), sizes, gate(params)}, Axis::columns);
  }

  bool zero_inflated_;
  Variable log_size_;
};

class Categorical final : public Likelihood {
 public:
  explicit Categorical(std::vector<std::int64_t> sizes)
      : sizes_(std::move(sizes)), groups_(sizes_, Device::cpu()) {}
  std::string name() const override { return "categorical"; }
  std::shared_ptr<Likelihood> clone() const override { return std::make_shared<Categorical>(sizes_); }
  bool supports_missing_values() const override { return true; }
  std::int64_t outputs(std::int64_t features) const override {
    check(features == groups_.columns(), "categorical",
          "expected {} features, the columns of all groups, got {}", groups_.columns(), features);
    return features;
  }
  void initialize(const ModelContext& context) override { groups_ = ColumnGroups(sizes_, context.device); }

  Variable log_density(const Variable& logits, const Variable& x) const override {
    return categorical_log_density(logits, x, groups_);
  }
  Variable negative_log_likelihood(const Variable& logits, const Variable& x, double weight) const override {
    return categorical_nll(logits, x, groups_, weight);
  }
  Variable mean(const Variable& logits) const override {
    std::vector<Variable> parts;
    std::int64_t first = 0;
    for (const std::int64_t size : sizes_) {
      parts.push_back(softmax(columns(logits, first, size), Axis::columns));
      first += size;
    }
    return concat(parts, Axis::columns);
  }
  // Inverse transform sampling with the uniform number of the group's first column.
  Tensor sample(const Variable& logits, const Noise& noise) const override {
    const NoGradGuard no_grad;
    const std::vector<float> p = mean(logits).value().to_vector();
    std::vector<float> x = random_uniform(logits.shape(), noise).to_vector();
    for (std::size_t at = 0; at < x.size();)
      for (const std::int64_t size : sizes_) {
        const auto columns = static_cast<std::size_t>(size);
        std::size_t chosen = 0;
        for (float left = x[at] - p[at]; left > 0 && chosen + 1 < columns;) left -= p[at + ++chosen];
        for (std::size_t j = 0; j < columns; ++j) x[at + j] = j == chosen ? 1.0f : 0.0f;
        at += columns;
      }
    return Tensor::from(x, logits.shape(), logits.device());
  }
  // The means are the shares of the classes, whose logs are logits of them.
  std::vector<double> outputs_of_mean(std::span<const double> means) const override {
    return log_means(means, 1);
  }

 private:
  std::vector<std::int64_t> sizes_;
  ColumnGroups groups_;
};

}  // namespace

std::shared_ptr<Likelihood> discretized_logistic_likelihood(const DiscretizedLogisticOptions& options) {
  check(options.low <= options.high && options.low >= -30 && options.high <= 30, "likelihood",
        "expected low <= high in [-30, 30], got {} and {}", options.low, options.high);
  return std::make_shared<DiscretizedLogistic>(options);
}
std::shared_ptr<Likelihood> poisson_likelihood() { return std::make_shared<Poisson>(); }
std::shared_ptr<Likelihood> negative_binomial_likelihood() {
  return std::make_shared<NegativeBinomial>(false);
}
std::shared_ptr<Likelihood> zero_inflated_negative_binomial_likelihood() {
  return std::make_shared<NegativeBinomial>(true);
}
std::shared_ptr<Likelihood> categorical_likelihood(std::vector<std::int64_t> sizes) {
  return std::make_shared<Categorical>(std::move(sizes));
}

std::optional<kernels::Unary> discrete_mean_function(const Likelihood& likelihood) {
  if (const auto* logistic = dynamic_cast<const DiscretizedLogistic*>(&likelihood))
    return logistic->options().sigmoid_location ? kernels::Unary::sigmoid : kernels::Unary::identity;
  return std::nullopt;
}

}  // namespace gpuvae
