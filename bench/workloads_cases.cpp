// Workloads of the operations that have cases in tests/cases, at the sizes of the presets and at large sizes.
#include <algorithm>
#include <cmath>

#include "bench/workloads.h"
#include "src/autograd/node.h"
#include "tests/cases/case.h"

namespace gpuvae::bench {
namespace {

using cases::Case;
using cases::Doubles;
using cases::Variables;
using Function = std::function<Variables(std::span<const Variable>)>;

// Cases up to this size are also computed in f64, which takes one or two seconds.
constexpr double kExactElements = 1 << 21, kExactFlops = 2e9;

double elements_of(const Case& c) {
  double most = 0;
  for (const cases::Input& input : c.inputs)
    most = std::max(most, static_cast<double>(input.shape.elements()));
  return most;
}

// Small inputs are those of the tests. Large inputs are drawn on the device.
Variables make_inputs(const Case& c, DType dtype, Device device) {
  Variables inputs;
  for (std::size_t i = 0; i < c.inputs.size(); ++i) {
    const cases::Input& in = c.inputs[i];
    if (static_cast<double>(in.shape.elements()) <= kExactElements) {
      const Tensor exact = Tensor::from(cases::input_values(in, i), in.shape);
      inputs.emplace_back(exact.to(dtype).to(device), in.differentiable);
    } else {
      const Noise noise{.seed = i + 1, .purpose = RandomPurpose::test};
      inputs.emplace_back(random_uniform(in.shape, noise, in.low, in.high, dtype, device), in.differentiable);
    }
  }
  return inputs;
}

// Makes a variable that discards its gradient, as an activation does after its backward pass. A leaf would
// copy the gradient. If `kept` is not null, it receives the gradient.
Variable activation(const Variable& leaf, std::vector<Tensor>* kept) {
  auto node = GraphAccess::make_node("activation", {&leaf});
  node->backward = [kept](autograd::BackwardContext& context) {
    if (kept) kept->push_back(context.gradient_tensor());
  };
  return GraphAccess::output(node, leaf.value());
}

// Runs the forward pass and, if `training`, the backward pass. The first input is an activation, the others
// are parameters. Outputs with more than one element are summed first, in the fused and in the unfused
// implementation, because the backward pass starts from scalars. If `kept` is not null, it receives the
// outputs and the gradients of the parameters.
void run_case(const Variables& inputs, const Function& f, bool training, std::vector<Tensor>* kept) {
  const auto keep = [&](const Tensor& t) {
    if (kept) kept->push_back(t);
  };
  if (!training) {
    const NoGradGuard no_grad;
    for (const Variable& o : f(inputs)) keep(o.value());
    return;
  }
  for (const Variable& input : inputs) input.zero_grad();
  Variables in = inputs;
  if (in[0].requires_grad()) in[0] = activation(in[0], kept);
  std::vector<autograd::Root> roots;
  for (const Variable& o : f(in)) {
    keep(o.value());
    const Variable one = o.shape().elements() == 1 ? o : sum(o);
    if (one.requires_grad()) roots.push_back({one, 1});
  }
  autograd::backward(roots);
  for (const Variable& input : inputs)
    if (input.requires_grad() && input.grad()) keep(input.grad());
}

std::vector<Doubles> results(const Case& c, DType dtype, Device device, bool training) {
  const Variables inputs = make_inputs(c, dtype, device);
  std::vector<Doubles> all;
  const Variables outputs = c.run(inputs);
  for (const Variable& o : outputs) all.push_back(o.value().to_doubles());
  if (!training) return all;
  std::vector<autograd::Root> roots;
  for (const Variable& o : outputs) roots.push_back({o.shape().elements() == 1 ? o : sum(o), 1});
  autograd::backward(roots);
  for (const Variable& input : inputs)
    if (input.requires_grad() && input.grad()) all.push_back(input.grad().to_doubles());
  return all;
}

// NaN counts as an infinite error.
double largest_error(const std::vector<Doubles>& got, const std::vector<Doubles>& exact) {
  double worst = 0;
  for (std::size_t t = 0; t < exact.size(); ++t) {
    double largest = 1e-30, difference = 0;
    for (std::size_t i = 0; i < exact[t].size(); ++i) {
      largest = std::max(largest, std::fabs(exact[t][i]));
      const double d = std::fabs(got[t][i] - exact[t][i]);
      difference = d >= difference || std::isnan(d) ? (std::isnan(d) ? INFINITY : d) : difference;
    }
    worst = std::max(worst, difference / largest);
  }
  return worst;
}

Contest contest_of(const Case& c, Device device, bool training) {
  const auto inputs = std::make_shared<Variables>(make_inputs(c, DType::f32, device));
  Contest contest;
  std::vector<Tensor> read;
  for (const Variable& input : *inputs) read.push_back(input.value());
  const auto work = [&](const Function& f) {
    return Work{[=](std::vector<Tensor>* outputs) { run_case(*inputs, f, training, outputs); }, read};
  };
  contest.fused = work(c.run);
  contest.unfused_uses_curand = !device.is_cpu() && c.unfused_curand;
  const Function unfused = contest.unfused_uses_curand ? c.unfused_curand : c.unfused;
  if (unfused) contest.unfused = work(unfused);
  contest.unfused.repeatable = !contest.unfused_uses_curand;
  contest.error = [=]() -> std::optional<double> {
    if (elements_of(c) > kExactElements || c.flops > kExactFlops) return std::nullopt;
    return largest_error(results(c, DType::f32, device, training),
                         results(c, DType::f64, Device::cpu(), training));
  };
  return contest;
}

class List {
 public:
  explicit List(double most_elements) : most_(most_elements) {}

  // `kept` is the size of the largest temporary tensor of the unfused implementation, if it is larger than
  // the inputs.
  void add(Case c, bool large, bool has_backward = true, std::int64_t kept = 0) {
    if (elements_of(c) > most_) return;
    const std::string size = size_name(c.name.substr(c.operation.size() + 1));
    for (const bool training : {false, true}) {
      if (training && !has_backward) continue;
      Workload w{c.operation, size, training ? "training" : "forward", large,
                 std::max(elements_of(c), static_cast<double>(kept))};
      w.bytes = training ? c.bytes : c.forward_bytes;
      w.flops = training ? c.flops : c.forward_flops;
      w.prepare = [c, training](Device device) { return bench::contest_of(c, device, training); };
      list_.push_back(std::move(w));
    }
  }
  std::vector<Workload> take() { return std::move(list_); }

 private:
  double most_;
  std::vector<Workload> list_;
};

void add_likelihoods(List& list, const std::vector<std::int64_t>& sizes) {
  const auto add = [&](std::int64_t rows, std::int64_t width, bool large) {
    const double weight = 1 / static_cast<double>(rows);
    list.add(cases::bce_case(true, {rows, width}, weight), large);
    list.add(cases::bce_case(false, {rows, width}, weight), large);
    list.add(cases::continuous_bernoulli_case({rows, width}, 12, weight), large);
  };
  add(100, 784, false);
  list.add(cases::gaussian_nll_case(100, 560, true, 0.01), false);
  for (Case& c : cases::discrete_nll_cases(100, 560, 0.01)) list.add(std::move(c), false);
  list.add(cases::categorical_case(100, 100, 5, 0.01), false);
  constexpr std::int64_t kWidth = 1024;
  for (const std::int64_t n : sizes) {
    add(n / kWidth, kWidth, true);
    list.add(cases::gaussian_nll_case(n / kWidth / 2, kWidth, true, 1e-3), true);
  }
}

void add_posteriors(List& list, const std::vector<std::int64_t>& sizes) {
  using cases::PosteriorForm;
  for (const PosteriorForm form : {PosteriorForm::sample, PosteriorForm::kl, PosteriorForm::both}) {
    list.add(cases::posterior_case(form, PosteriorScale::log_variance, 100, 2), false);
    list.add(cases::posterior_case(form, PosteriorScale::softplus, 64, 100), false);
    constexpr std::int64_t kLatent = 64;
    for (const std::int64_t n : sizes)
      list.add(cases::posterior_case(form, PosteriorScale::log_variance, n / kLatent / 2, kLatent), true);
  }
  // Objectives of several draws, the last with the gradient of DReG.
  list.add(cases::posterior_draws_case({20, 50, 50}), false);
  list.add(cases::posterior_draws_case(
               {1024, 64, 50, PosteriorScale::log_variance, EncoderGradient::doubly_reparameterized}),
           true);
  list.add(cases::importance_case({20, 1, 50}), false);
  list.add(cases::importance_case({16384, 1, 64}), true);
}

void add_layers(List& list) {
  const auto add = [&](std::int64_t rows, std::int64_t in, std::int64_t out, Activation a, bool large) {
    list.add(cases::linear_case(rows, in, out, a), large);
  };
  add(100, 784, 256, Activation::relu, false);
  add(100, 256, 4, Activation::identity, false);
  add(100, 2, 256, Activation::relu, false);
  add(100, 256, 784, Activation::identity, false);
  add(100, 784, 500, Activation::tanh, false);
  add(64, 784, 200, Activation::softplus, false);
  add(100, 200, 1120, Activation::sigmoid, false);
  for (const std::int64_t batch : {64, 1024, 8192, 65536})
    for (const std::int64_t width : {128, 512, 2048, 8192}) add(batch, width, width, Activation::relu, true);
  for (const Activation a : {Activation::sigmoid, Activation::tanh, Activation::softplus})
    add(8192, 512, 512, a, true);
}

void add_models(List& list, const std::vector<std::int64_t>& sizes) {
  list.add(cases::gated_linear_case(100, 784, 300), false);
  list.add(cases::gated_linear_case(8192, 512, 512), true, true, 2 * 8192 * 512);
  list.add(cases::planar_flow_case(100, 50, 4), false);
  list.add(cases::autoregressive_step_case(100, 50), false);
  for (const bool kl : {false, true}) list.add(cases::full_covariance_case(100, 50, kl), false);
  constexpr std::int64_t kLatent = 64;
  for (const std::int64_t n : sizes) {
    list.add(cases::planar_flow_case(n / kLatent / 16, kLatent, 4), true);
    list.add(cases::autoregressive_step_case(n / kLatent / 2, kLatent), true);
    list.add(cases::full_covariance_case(n / kLatent / 32, kLatent, false), true);
  }
}

void add_densities(List& list, const std::vector<std::int64_t>& sizes) {
  const auto add = [&](std::int64_t targets, std::int64_t n, std::int64_t width, bool large) {
    std::vector<Case> all = cases::log_density_cases(targets, n, width, true);
    all.erase(all.begin() + 2);  // the Gaussian without a sigmoid on its mean
    for (Case& c : all) list.add(std::move(c), large);
  };
  add(20, 50, 784, false);
  for (const std::int64_t n : sizes) add(n / 1024 / 64, 64, 512, true);
  const auto add_mixture = [&](const cases::MixtureSetting& s, bool large) {
    list.add(cases::mixture_case(s), large, true, s.rows * s.components);
  };
  add_mixture({100, 2, 50}, false);
  add_mixture({100, 2, 500, PosteriorScale::log_variance, true}, false);
  add_mixture({8192, 16, 500}, true);
  add_mixture({65536, 16, 500}, true);
}

}  // namespace

std::vector<Workload> case_workloads(double most_elements) {
  List list(most_elements);
  const std::vector<std::int64_t> sizes = large_sizes(most_elements);
  add_likelihoods(list, sizes);
  add_posteriors(list, sizes);
  add_layers(list);
  add_models(list, sizes);
  add_densities(list, sizes);
  return list.take();
}

}  // namespace gpuvae::bench
