#include "bench/bare_products.h"

#include <dnnl.h>

#include <algorithm>
#include <limits>
#include <set>

#include "bench/stopwatch.h"
#include "bench/work_check.h"
#include "gpuvae/ops.h"
#include "gpuvae/threads.h"
#include "kernels/backend.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/parallel/sequential.h"

namespace gpuvae::bench {
namespace {

std::int64_t divided(std::int64_t size, std::int64_t parts, std::int64_t multiple) {
  const std::int64_t part = (size + parts - 1) / parts;
  return std::min(size, (part + multiple - 1) / multiple * multiple);
}

}  // namespace

BareProducts::BareProducts(Vae& model, std::int64_t batch, std::int64_t draws) : device_(model.device()) {
  bool first = true;
  for (const Parameter& p : model.parameters()) {
    const Shape shape = p.variable.shape();
    if (p.is_bias || shape.rank() != 2) continue;
    const bool of_decoder = p.name.starts_with("decoder") || p.name.starts_with("output");
    const std::int64_t out = shape[0], in = shape[1], rows = of_decoder ? batch * draws : batch;
    add(false, true, rows, out, in);
    add(true, false, out, in, rows);
    if (!first) add(false, false, rows, in, out);
    first = false;
  }
  check();
}

void BareProducts::add(bool transpose_a, bool transpose_b, std::int64_t m, std::int64_t n, std::int64_t k) {
  const Noise noise{.seed = 1, .purpose = RandomPurpose::test};
  const auto random = [&](std::int64_t count) {
    return random_normal({count}, noise, 0, 1, DType::f32, device_);
  };
  products_.push_back({transpose_a, transpose_b, m, n, k, random(m * k), random(k * n), random(m * n), m, n});
  if (device_.is_cpu()) choose_slices(products_.back());
}

void BareProducts::multiply_on_cpu(const Product& p) {
  const std::int64_t across = (p.n + p.columns - 1) / p.columns, down = (p.m + p.rows - 1) / p.rows;
  const float *a = p.a.data_as<float>(), *b = p.b.data_as<float>();
  kernels::parallel_for(down * across, true, [&](std::int64_t slice) {
    const std::int64_t row = slice / across * p.rows, column = slice % across * p.columns;
    const kernels::SequentialOpenMp sequential;
    dnnl_sgemm(p.transpose_a ? 'T' : 'N', p.transpose_b ? 'T' : 'N', std::min(p.rows, p.m - row),
               std::min(p.columns, p.n - column), p.k, 1, a + row * (p.transpose_a ? 1 : p.k),
               p.transpose_a ? p.m : p.k, b + column * (p.transpose_b ? p.k : 1), p.transpose_b ? p.k : p.n,
               0, p.c.data_as<float>() + row * p.n + column, p.n);
  });
}

void BareProducts::choose_slices(Product& product) {
  constexpr int kRepeats = 9;
  const std::int64_t threads = num_threads();
  const std::set<std::int64_t> counts{1, 2, threads, 2 * threads};
  double least = std::numeric_limits<double>::infinity();
  Product best = product;
  for (const std::int64_t down : counts)
    for (const std::int64_t across : counts) {
      if (down * across > 4 * threads) continue;
      Product cut = product;
      cut.rows = divided(product.m, down, 4);
      cut.columns = divided(product.n, across, 16);
      for (int i = 0; i < kRepeats; ++i) {
        const double seconds = wall_seconds(Device::cpu(), [&] { multiply_on_cpu(cut); });
        if (seconds >= least) continue;
        least = seconds;
        best = cut;
      }
    }
  product = best;
}

void BareProducts::multiply_by_backend(const Product& p, const Tensor& c) {
  kernels::GemmArgs args{.m = p.m, .n = p.n, .k = p.k, .a = p.a.data(), .b = p.b.data(), .c = c.data()};
  args.transpose_a = p.transpose_a;
  args.transpose_b = p.transpose_b;
  c.device().backend().gemm(args, Stream::current(c.device()).handle());
}

void BareProducts::run() const {
  for (const Product& p : products_) {
    if (device_.is_cpu())
      multiply_on_cpu(p);
    else
      multiply_by_backend(p, p.c);
  }
}

void BareProducts::check() const {
  Work bare, of_library;
  std::vector<Tensor> results, expected;
  for (const Product& p : products_) {
    bare.inputs.push_back(p.a);
    bare.inputs.push_back(p.b);
    results.push_back(p.c);
    expected.push_back(Tensor::empty(p.c.shape(), DType::f32, device_));
  }
  bare.run = [&](std::vector<Tensor>* outputs) {
    run();
    if (outputs) *outputs = results;
  };
  of_library.inputs = bare.inputs;
  of_library.run = [&](std::vector<Tensor>* outputs) {
    for (std::size_t i = 0; i < expected.size(); ++i) multiply_by_backend(products_[i], expected[i]);
    if (outputs) *outputs = expected;
  };
  constexpr double kTolerance = 1e-3;
  check_agreement(check_work(of_library, device_), check_work(bare, device_), kTolerance);
}

}  // namespace gpuvae::bench
