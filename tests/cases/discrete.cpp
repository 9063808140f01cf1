// Cases of the likelihoods of bytes, counts and categories, and of missing values in likelihoods.
#include <cmath>

#include "tests/cases/case.h"

namespace gpuvae::cases {

double discretized_logistic_element(const double* params, std::int64_t width, double target) {
  const auto cdf = [&](double edge) {
    const double m = 1 / (1 + std::exp(-params[0]));
    const double s = std::exp(std::min(std::max(params[width], kDiscreteOptions.low), kDiscreteOptions.high));
    return 1 / (1 + std::exp(-(static_cast<long double>(edge) / 256 - m) / s));
  };
  const double v = std::round(255 * target);
  const long double upper = v < 255 ? cdf(v + 1) : 1, lower = v > 0 ? cdf(v) : 0;
  return static_cast<double>(std::log(upper - lower));
}

double poisson_element(const double* params, std::int64_t, double target) {
  const long double e = params[0];
  return static_cast<double>(target * e - std::exp(e) - std::lgamma(static_cast<long double>(target) + 1));
}

double negative_binomial_element(const double* params, std::int64_t width, double target) {
  const long double mean = std::exp((long double)params[0]), k = std::exp((long double)params[width]);
  const long double x = target;
  return static_cast<double>(std::lgamma(x + k) - std::lgamma(k) - std::lgamma(x + 1) +
                             k * std::log(k / (k + mean)) + x * std::log(mean / (k + mean)));
}

double zero_inflated_element(const double* params, std::int64_t width, double target) {
  const double gate = 1 / (1 + std::exp(-params[2 * width]));
  const double counted = (1 - gate) * std::exp(negative_binomial_element(params, width, target));
  return std::log((target == 0 ? gate : 0) + counted);
}

namespace {

struct Discrete {
  const char* operation;
  std::function<Variable(const Variable&, const Variable&)> run, unfused;
  std::int64_t parameters;
  double most;  // largest magnitude of a parameter
  double (*element)(const double*, std::int64_t, double);
  double most_target, step;
  double flops;  // per element, forward
};

std::vector<Discrete> discretes(double w) {
  return {
      {"discretized_logistic_nll",
       [w](auto& x, auto& t) { return discretized_logistic_nll(x, t, kDiscreteOptions, w); },
       [w](auto& x, auto& t) { return unfused::discretized_logistic_nll(x, t, kDiscreteOptions, w); }, 2, 3,
       discretized_logistic_element, 1, 1.0 / 255, 40},
      {"poisson_nll", [w](auto& x, auto& t) { return poisson_nll(x, t, w); },
       [w](auto& x, auto& t) { return unfused::poisson_nll(x, t, w); }, 1, 2.5, poisson_element, 12, 1, 20},
      {"negative_binomial_nll", [w](auto& x, auto& t) { return negative_binomial_nll(x, t, w); },
       [w](auto& x, auto& t) { return unfused::negative_binomial_nll(x, t, w); }, 2, 2.5,
       negative_binomial_element, 12, 1, 60},
      {"zero_inflated_negative_binomial_nll",
       [w](auto& x, auto& t) { return zero_inflated_negative_binomial_nll(x, t, w); },
       [w](auto& x, auto& t) { return unfused::zero_inflated_negative_binomial_nll(x, t, w); }, 3, 2.5,
       zero_inflated_element, 12, 1, 75}};
}

// Returns t with NaN in the place of numbers below 0.201, which is no byte / 255.
Variable with_missing(const Variable& t) { return t + 0 * log(t - 0.201); }

Case discrete_case(const Discrete& d, std::int64_t rows, std::int64_t width, double weight, bool missing) {
  Case c{.operation = d.operation};
  c.name = c.operation + "/" + Shape{rows, width}.text() + (missing ? "_missing" : "");
  c.inputs = {{{rows, d.parameters * width}, -d.most, d.most},
              {{rows, width}, 0, d.most_target, 0, false, d.step}};
  const auto target = [missing](const Variable& t) { return missing ? with_missing(t) : t; };
  c.run = [=, run = d.run](auto v) { return Variables{run(v[0], target(v[1]))}; };
  if (!missing) c.unfused = [unfused = d.unfused](auto v) { return Variables{unfused(v[0], v[1])}; };
  c.reference = [=](auto v) {
    double sum = 0;
    for (std::int64_t i = 0; i < rows * width; ++i)
      if (const double t = v[1][i]; !missing || t > 0.201)
        sum -= d.element(v[0].data() + i / width * d.parameters * width + i % width, width, t);
    return std::vector<Doubles>{{weight * sum}};
  };
  const auto n = static_cast<double>(rows * width), p = static_cast<double>(d.parameters);
  c.bytes = (8 * p + 4) * n;
  c.forward_bytes = (4 * p + 4) * n;
  c.forward_flops = d.flops * n;
  c.flops = 1.5 * d.flops * n;
  return c;
}

// Bernoulli and Gaussian likelihoods of targets with missing values.
void add_missing(std::vector<Case>& cases) {
  for (const Shape& s : {Shape{33, 31}, Shape{5, 784}}) {
    Case b = bce_case(true, s, 0.01);
    b.name += "_missing";
    b.run = [](auto v) { return Variables{bce_with_logits(v[0], with_missing(v[1]), 0.01)}; };
    b.unfused = {};
    b.reference = [](auto v) {
      double sum = 0;
      for (std::size_t i = 0; i < v[0].size(); ++i)
        if (v[1][i] > 0.201) sum += std::log(1 + std::exp(v[0][i])) - v[1][i] * v[0][i];
      return std::vector<Doubles>{{0.01 * sum}};
    };
    cases.push_back(std::move(b));
    const std::int64_t rows = s.rows(), width = s.columns();
    Case g = gaussian_nll_case(rows, width, false, 0.5);
    g.name += "_missing";
    g.operation = "gaussian_log_density";
    g.run = [](auto v) {
      return Variables{gaussian_log_density(v[0], with_missing(v[1]), {false, -2, 1.5})};
    };
    g.unfused = {};
    g.reference = [=](auto v) {
      Doubles out(static_cast<std::size_t>(rows));
      for (std::int64_t i = 0; i < rows * width; ++i) {
        const double* p = v[0].data() + i / width * 2 * width + i % width;
        const double log_variance = std::min(std::max(p[width], -2.0), 1.5), d = v[1][i] - p[0];
        if (v[1][i] > 0.201)
          out[i / width] -= 0.5 * (std::log(2 * M_PI) + log_variance + d * d / std::exp(log_variance));
      }
      return std::vector<Doubles>{out};
    };
    cases.push_back(std::move(g));
  }
}

// The log density of one variable with logits l and one-hot target x.
double category_element(const double* l, const double* x, std::int64_t size) {
  double sum = 0, chosen = 0;
  for (std::int64_t j = 0; j < size; ++j) {
    sum += std::exp(l[j]);
    chosen += x[j] * l[j];
  }
  return chosen - std::log(sum);
}

Case categorical_density_case(std::int64_t targets, std::int64_t n, std::int64_t groups, std::int64_t size) {
  Case c = categorical_case(targets * n, groups, size, 1);
  c.operation = "categorical_log_density";
  c.name = c.operation + "/" + Shape{targets, n, groups, size}.text();
  c.inputs[1].shape = {targets, groups * size};
  const std::vector<std::int64_t> sizes(static_cast<std::size_t>(groups), size);
  c.run = [=](auto v) { return Variables{categorical_log_density(v[0], v[1], {sizes, v[0].device()})}; };
  c.unfused = [=](auto v) {
    return Variables{unfused::categorical_log_density(v[0], v[1], {sizes, v[0].device()})};
  };
  c.reference = [=](auto v) {
    Doubles out(static_cast<std::size_t>(targets * n));
    for (std::int64_t i = 0; i < targets * n * groups; ++i) {
      const double* x = v[1].data() + (i / groups / n * groups + i % groups) * size;
      out[i / groups] += category_element(v[0].data() + i * size, x, size);
    }
    return std::vector<Doubles>{out};
  };
  return c;
}

}  // namespace

Case categorical_case(std::int64_t rows, std::int64_t groups, std::int64_t size, double weight) {
  Case c{.operation = "categorical_nll"};
  c.name = c.operation + "/" + Shape{rows, groups, size}.text();
  c.inputs = {{{rows, groups * size}, -3, 3}, {{rows, groups * size}, 0, 1, 0, false, 0, size}};
  const std::vector<std::int64_t> sizes(static_cast<std::size_t>(groups), size);
  c.run = [=](auto v) { return Variables{categorical_nll(v[0], v[1], {sizes, v[0].device()}, weight)}; };
  c.unfused = [=](auto v) {
    return Variables{unfused::categorical_nll(v[0], v[1], {sizes, v[0].device()}, weight)};
  };
  c.reference = [=](auto v) {
    double total = 0;
    for (std::int64_t i = 0; i < rows * groups; ++i)
      total -= category_element(v[0].data() + i * size, v[1].data() + i * size, size);
    return std::vector<Doubles>{{weight * total}};
  };
  const auto elements = static_cast<double>(rows * groups * size);
  c.bytes = 20 * elements;
  c.forward_bytes = 8 * elements;
  c.forward_flops = 6 * elements;
  c.flops = 10 * elements;
  return c;
}

std::vector<Case> discrete_nll_cases(std::int64_t rows, std::int64_t width, double weight) {
  std::vector<Case> cases;
  for (const Discrete& d : discretes(weight)) cases.push_back(discrete_case(d, rows, width, weight, false));
  return cases;
}

std::vector<Case> discrete_cases() {
  std::vector<Case> cases;
  for (const auto& [rows, width] :
       {std::pair{1, 1}, std::pair{33, 17}, std::pair{20, 560}, std::pair{7000, 3}})
    for (Case& c : discrete_nll_cases(rows, width, 0.01)) cases.push_back(std::move(c));
  for (const Discrete& d : discretes(0.5)) cases.push_back(discrete_case(d, 33, 17, 0.5, true));
  add_missing(cases);
  for (const auto& [rows, groups, size] :
       {std::tuple{1, 1, 1}, std::tuple{33, 3, 5}, std::tuple{20, 40, 3}, std::tuple{5000, 2, 2}}) {
    cases.push_back(categorical_case(rows, groups, size, 0.01));
    cases.push_back(categorical_density_case(rows, 3, groups, size));
  }
  return cases;
}

}  // namespace gpuvae::cases
