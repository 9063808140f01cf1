// Workloads of the optimisers and of the batch gather, and the list of all workloads.
#include "bench/workloads.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <iterator>

#include "bench/index_select.h"
#include "gpuvae/average.h"
#include "gpuvae/data.h"
#include "gpuvae/ops.h"
#include "gpuvae/optim.h"
#include "kernels/backend.h"
#include "kernels/math/optimizer.h"

namespace gpuvae::bench {
namespace {

constexpr std::int64_t kKerasMnistParameters = 404'244;

// Parameters, gradients and state of an optimiser in the layout that Optimizer uses.
struct Arena {
  Tensor parameters, gradients, state1, state2;

  Arena(std::int64_t n, OptimizerKind kind, Device device) {
    const Noise noise{.seed = 3, .purpose = RandomPurpose::test};
    const auto uniform = [&](double low, double high) {
      return random_uniform({n}, noise, low, high, DType::f32, device);
    };
    parameters = uniform(-0.1, 0.1);
    gradients = uniform(-0.01, 0.02);
    state1 = uniform(0, 0.01);
    if (math::optimizer_states(kind) == 2) state2 = uniform(0, 1e-4);
  }
};

void fused_step(const OptimizerOptions& o, const Arena& arena) {
  const Tensor& p = arena.parameters;
  kernels::OptimizerArgs args{.kind = o.kind, .size = p.elements(), .learning_rate = o.learning_rate};
  args.beta1 = o.beta1;
  args.beta2 = o.beta2;
  args.epsilon = o.epsilon;
  args.clock.step = 10;
  args.parameters = p.data();
  args.gradients = arena.gradients.data();
  args.state1 = arena.state1.data();
  args.state2 = arena.state2 ? arena.state2.data() : nullptr;
  p.device().backend().optimizer_step(args, Stream::current(p.device()).handle());
}

// Returns the largest error of one update against math::optimizer_update in double.
double error_of(const OptimizerOptions& o, std::int64_t n, Device device) {
  const Arena arena(n, o.kind, device);
  std::vector<double> p = arena.parameters.to_doubles(), s1 = arena.state1.to_doubles(), s2(p.size());
  if (arena.state2) s2 = arena.state2.to_doubles();
  const std::vector<double> g = arena.gradients.to_doubles();
  const math::OptimizerScalars<double> scalars{o.learning_rate,
                                               o.beta1,
                                               o.beta2,
                                               o.epsilon,
                                               0,
                                               1 / (1 - std::pow(o.beta1, 11)),
                                               1 / (1 - std::pow(o.beta2, 11))};
  for (std::size_t i = 0; i < p.size(); ++i)
    math::optimizer_update(o.kind, scalars, g[i], p[i], s1[i], s2[i]);
  fused_step(o, arena);
  const std::vector<double> got = arena.parameters.to_doubles();
  double worst = 0, largest = 0;
  for (std::size_t i = 0; i < p.size(); ++i) {
    const double d = std::fabs(got[i] - p[i]);
    worst = d <= worst ? worst : (std::isnan(d) ? INFINITY : d);
    largest = std::max(largest, std::fabs(p[i]));
  }
  return worst / largest;
}

Workload optimizer_workload(OptimizerKind kind, std::int64_t n, bool large) {
  Workload w{"optimizer_step", size_name(std::string(name(kind)) + Shape{n}.text()), "update", large,
             static_cast<double>(n)};
  const OptimizerOptions o = OptimizerOptions::defaults(kind);
  const bool has_state = kind != OptimizerKind::sgd || o.beta1 != 0;  // SGD without momentum does not need it
  w.bytes = 4.0 * w.elements * (3 + (has_state ? 2 * math::optimizer_states(kind) : 0));
  w.flops = w.elements * (math::optimizer_states(kind) == 2 ? 14 : 7);
  w.prepare = [=](Device device) {
    const auto arena = std::make_shared<Arena>(n, kind, device);
    std::vector<Tensor> updated{arena->parameters};
    if (has_state) updated.push_back(arena->state1);
    if (arena->state2) updated.push_back(arena->state2);
    std::vector<Tensor> read = updated;
    read.push_back(arena->gradients);
    Contest contest;
    contest.fused = {[=](std::vector<Tensor>* outputs) {
                       fused_step(o, *arena);
                       if (outputs) *outputs = updated;
                     },
                     read};
    contest.unfused = {[=](std::vector<Tensor>* outputs) {
                         unfused::optimizer_step(o, 10, 0, arena->parameters, arena->gradients, arena->state1,
                                                 arena->state2);
                         if (outputs) *outputs = updated;
                       },
                       read};
    contest.error = [=]() -> std::optional<double> {
      if (n > 1 << 21) return std::nullopt;
      return error_of(o, n, device);
    };
    return contest;
  };
  return w;
}

Workload average_workload(std::int64_t n, bool large) {
  Workload w{"average", size_name("warmup" + Shape{n}.text()), "update", large, static_cast<double>(n)};
  w.bytes = 12.0 * w.elements;
  w.flops = 3 * w.elements;
  w.prepare = [=](Device device) {
    const Noise noise{.seed = 3, .purpose = RandomPurpose::test};
    const Tensor weights = random_uniform({n}, noise, -0.1, 0.1, DType::f32, device),
                 average = random_uniform({n}, noise, -0.1, 0.1, DType::f32, device);
    const AverageOptions options{.decay = 0.999};
    Contest contest;
    contest.fused = {[=](std::vector<Tensor>* outputs) {
                       kernels::AverageArgs args{.size = n, .decay = options.decay};
                       args.clock.step = 10;
                       args.parameters = weights.data();
                       args.average = average.data();
                       device.backend().average(args, Stream::current(device).handle());
                       if (outputs) *outputs = {average};
                     },
                     {weights, average}};
    contest.unfused = {[=](std::vector<Tensor>* outputs) {
                         unfused::average(options, 10, weights, average);
                         if (outputs) *outputs = {average};
                       },
                       {weights, average}};
    return contest;
  };
  return w;
}

// Copies the given rows: on the CPU one by one, on a GPU with one kernel.
Tensor selected_rows(const Tensor& images, const Tensor& order) {
  const Device device = images.device();
  const std::int64_t count = order.elements(), width = images.shape()[1];
  const Tensor rows = Tensor::empty({count, width}, DType::u8, device);
  const auto* from = images.data_as<std::uint8_t>();
  const auto* row = order.data_as<std::int32_t>();
  auto* to = rows.data_as<std::uint8_t>();
  if (!device.is_cpu()) {
    index_select(from, row, count, width, to, Stream::current(device).handle());
    return rows;
  }
  for (std::int64_t i = 0; i < count; ++i)
    std::memcpy(to + i * width, from + row[i] * width, static_cast<std::size_t>(width));
  return rows;
}

// Gathers a batch in separate passes: copies of rows, conversion to f32, scaling. The order is given.
Tensor gather_unfused(const Tensor& images, const Tensor& order) {
  const Tensor x = selected_rows(images, order).to(DType::f32);
  const kernels::AxpbyArgs scale{.size = x.elements(), .alpha = 1.0 / 255, .x = x.data(), .y = x.data()};
  x.device().backend().axpby(scale, Stream::current(x.device()).handle());
  return x;
}

Contest gather_contest(const Tensor& images, std::int64_t batch) {
  const auto gather = [=] { return gather_batch(images, batch, Clock{.steps_per_epoch = 1}, {}); };
  Contest contest;
  contest.fused = {[=](std::vector<Tensor>* outputs) {
                     const Tensor x = gather().x;
                     if (outputs) *outputs = {x};
                   },
                   {images}};
  const Tensor order = gather().samples;
  contest.unfused = {[=](std::vector<Tensor>* outputs) {
                       const Tensor x = gather_unfused(images, order);
                       if (outputs) *outputs = {x};
                     },
                     {images}};
  return contest;
}

// Gathers a batch from `count` images of bytes.
Workload gather_workload(std::int64_t count, std::int64_t batch, std::int64_t pixels, bool large) {
  const Shape size{batch, pixels};
  Workload w{"gather_batch", size_name(size.text()), "forward", large, static_cast<double>(size.elements())};
  w.bytes = 5.0 * static_cast<double>(size.elements());
  w.prepare = [=](Device device) {
    std::vector<std::uint8_t> bytes(static_cast<std::size_t>(count * pixels));
    for (std::size_t i = 0; i < bytes.size(); ++i)
      bytes[i] = static_cast<std::uint8_t>(i * 2654435761u >> 24);
    return gather_contest(Tensor::from(bytes, {count, pixels}, device), batch);
  };
  return w;
}

}  // namespace

std::string size_name(const std::string& text) {
  std::string name;
  for (const char c : text) {
    if (c == '[' && !name.empty()) name += '-';
    if (c == ',') name += 'x';
    if (c != '[' && c != ']' && c != ',' && c != ' ') name += c;
  }
  return name;
}

std::vector<std::int64_t> large_sizes(double most_elements) {
  std::vector<std::int64_t> sizes;
  for (int exponent = 20; exponent <= 28; exponent += 2)
    if (std::ldexp(1, exponent) <= most_elements) sizes.push_back(std::int64_t{1} << exponent);
  return sizes;
}

std::vector<Workload> optimizer_workloads(double most_elements) {
  std::vector<Workload> list;
  for (int kind = 0; kind <= static_cast<int>(OptimizerKind::adamw); ++kind)
    list.push_back(optimizer_workload(OptimizerKind(kind), kKerasMnistParameters, false));
  list.push_back(average_workload(kKerasMnistParameters, false));
  for (const std::int64_t n : large_sizes(most_elements)) list.push_back(average_workload(n, true));
  for (const std::int64_t n : large_sizes(most_elements))
    for (const OptimizerKind kind : {OptimizerKind::sgd, OptimizerKind::rmsprop, OptimizerKind::adam})
      list.push_back(optimizer_workload(kind, n, true));
  std::erase_if(list, [&](const Workload& w) { return w.elements > most_elements; });
  return list;
}

std::vector<Workload> gather_workloads(double most_elements) {
  std::vector<Workload> list;
  list.push_back(gather_workload(60000, 100, 784, false));
  list.push_back(gather_workload(1800, 100, 560, false));
  for (const std::int64_t batch : {1024, 8192, 65536})
    list.push_back(gather_workload(65536, batch, 784, true));
  std::erase_if(list, [&](const Workload& w) { return w.elements > most_elements; });
  return list;
}

std::vector<Workload> all_workloads(double most_elements) {
  std::vector<Workload> list;
  for (auto* part : {case_workloads, optimizer_workloads, gather_workloads}) {
    std::vector<Workload> more = part(most_elements);
    std::move(more.begin(), more.end(), std::back_inserter(list));
  }
  return list;
}

}  // namespace gpuvae::bench
