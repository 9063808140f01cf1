// Calls cuBLASLt directly to find out how it behaves on this device: which epilogues are available, how ReLU
// treats NaN, what the ReLU mask contains for 0, whether repeated products have equal bits, and whether lower
// precisions have an effect.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>

#include "bench/gpu_probe.h"
#include "bench/gpu_probe_lt.h"
#include "gpuvae/ops.h"
#include "kernels/backend.h"

namespace gpuvae::bench {
namespace {

constexpr Precision kPrecisions[] = {Precision::f32, Precision::tf32, Precision::bf16};

// A layer's product and its epilogue, in the shape that a training step uses.
struct Case {
  const char* name;
  LtEpilogue epilogue;
};
constexpr Case kCases[] = {
    {"none", LtEpilogue::none},          {"bias", LtEpilogue::bias},
    {"bias, ReLU", LtEpilogue::relu},    {"bias, ReLU, mask", LtEpilogue::relu_mask},
    {"bias gradient", LtEpilogue::sums}, {"through ReLU, bias gradient", LtEpilogue::through_relu},
};

Tensor random(Shape shape, std::uint64_t seed, Device device) {
  return random_normal(shape, {.seed = seed, .purpose = RandomPurpose::test}, 0, 1, DType::f32, device);
}

// The operands and outputs of a case.
struct Trial {
  LtProduct product;
  Tensor a, b, c, vector, mask;

  Trial(const Case& what, std::int64_t width, Precision precision, const CublasltOptions& o, Device device) {
    const bool weight_gradient = what.epilogue == LtEpilogue::sums;
    const bool input_gradient = what.epilogue == LtEpilogue::through_relu;
    product = {.m = weight_gradient ? width : o.rows,
               .n = weight_gradient ? o.depth : width,
               .k = weight_gradient ? o.rows : o.depth,
               .transpose_a = weight_gradient,
               .transpose_b = !weight_gradient && !input_gradient,
               .epilogue = what.epilogue,
               .precision = precision};
    const auto& [m, n, k] = std::tie(product.m, product.n, product.k);
    a = random(product.transpose_a ? Shape{k, m} : Shape{m, k}, 1, device);
    b = random(product.transpose_b ? Shape{n, k} : Shape{k, n}, 2, device);
    c = Tensor::full({m, n}, NAN, DType::f32, device);
    vector = random({std::max(m, n)}, 3, device);
    mask = Tensor::from(std::vector<std::uint8_t>(product.mask_bytes(), 0x5a),
                        {static_cast<std::int64_t>(product.mask_bytes())}, device);
  }
  LtAnswer run() const {
    return run_product(product, a.data(), b.data(), c.data(), vector.data(), mask.data(), a.device());
  }
};

// Returns the largest error of a product without epilogue, relative to the factors' norms.
double error_of(const Trial& t) {
  const LtProduct& p = t.product;
  const std::vector<double> a = t.a.to_doubles(), b = t.b.to_doubles(), c = t.c.to_doubles();
  double worst = 0;
  for (std::int64_t i = 0; i < p.m; ++i)
    for (std::int64_t j = 0; j < p.n; ++j) {
      double sum = 0, aa = 0, bb = 0;
      for (std::int64_t l = 0; l < p.k; ++l) {
        const double x = a[static_cast<std::size_t>(p.transpose_a ? l * p.m + i : i * p.k + l)];
        const double y = b[static_cast<std::size_t>(p.transpose_b ? j * p.k + l : l * p.n + j)];
        sum += x * y;
        aa += x * x;
        bb += y * y;
      }
      const double error = std::fabs(c[static_cast<std::size_t>(i * p.n + j)] - sum) / std::sqrt(aa * bb);
      worst = std::isfinite(error) ? std::max(worst, error) : HUGE_VAL;
    }
  return worst;
}

std::vector<std::uint8_t> bytes_of(const Tensor& tensor) {
  const Tensor host = tensor.to(Device::cpu());
  const auto* bytes = static_cast<const std::uint8_t*>(host.data());
  return {bytes, bytes + host.bytes()};
}

// Returns the value of the mask bits that belong to elements: "0" or "1" if all are equal, otherwise "mixed".
std::string bits_of(const Trial& t) {
  const std::vector<std::uint8_t> mask = bytes_of(t.mask);
  std::int64_t ones = 0;
  for (std::int64_t i = 0; i < t.product.m; ++i)
    for (std::int64_t j = 0; j < t.product.n; ++j) {
      const std::int64_t bit = i * t.product.mask_stride() + j;
      ones += mask[static_cast<std::size_t>(bit / 8)] >> bit % 8 & 1;
    }
  return ones == 0 ? "0" : ones == t.product.m * t.product.n ? "1" : "mixed";
}

// Returns the mask bits of a product with `a` = 0 and a bias of `value`, so that every element before ReLU
// equals `value`.
std::string mask_where(Trial t, float value) {
  t.a.fill(0);
  t.vector.fill(value);
  return t.run().usable() ? bits_of(t) : "refused";
}

// Repeats the product with a bias of NaN. Returns "kept" if all outputs are NaN, "hidden" if none is, and
// "kept in part" otherwise.
std::string nan_through_relu(Trial t) {
  t.vector.fill(NAN);
  if (!t.run().usable()) return "refused";
  const std::vector<double> c = t.c.to_doubles();
  const auto kept = std::ranges::count_if(c, [](double y) { return std::isnan(y); });
  return kept == std::ssize(c) ? "kept" : kept == 0 ? "hidden" : "kept in part";
}

// Returns the number of launches that gpuvae's own gemm needs for the case: 1 if it uses the epilogue.
std::uint64_t library_launches(const Trial& t) {
  bool written = false;
  const LtProduct& p = t.product;
  kernels::GemmArgs args{.precision = p.precision, .m = p.m, .n = p.n, .k = p.k};
  args.a = t.a.data();
  args.b = t.b.data();
  args.c = t.c.data();
  args.transpose_a = p.transpose_a;
  args.transpose_b = p.transpose_b;
  const bool relu = p.epilogue == LtEpilogue::relu || p.epilogue == LtEpilogue::relu_mask;
  if (relu || p.epilogue == LtEpilogue::bias) args.bias = t.vector.data();
  if (relu) args.activation = Activation::relu;
  if (p.epilogue == LtEpilogue::relu_mask) args.relu = {.bits = t.mask.data(), .written = &written};
  if (p.epilogue == LtEpilogue::sums) args.sums = t.vector.data();
  const Tensor output =
      p.epilogue == LtEpilogue::through_relu ? random({p.m, p.n}, 4, t.a.device()) : Tensor();
  if (output) args.relu = {.bits = t.mask.data(), .output = output.data(), .d_bias = t.vector.data()};
  kernels::Backend& backend = t.a.device().backend();
  const auto stream = Stream::current(t.a.device()).handle();
  backend.gemm(args, stream);
  const std::uint64_t before = backend.launches();
  backend.gemm(args, stream);
  return backend.launches() - before;
}

nlohmann::json answers_to(const Case& what, std::int64_t width, Precision precision, const CublasltOptions& o,
                          Device device) {
  const Trial t(what, width, precision, o, device);
  const LtAnswer answer = t.run();
  nlohmann::json row = {{"epilogue", what.name},        {"width", width},
                        {"precision", name(precision)}, {"found", answer.found},
                        {"status", answer.status},      {"workspace_bytes", answer.workspace_bytes},
                        {"waves", answer.waves},        {"usable", answer.usable()}};
  if (answer.usable()) {
    const std::vector<std::uint8_t> first = bytes_of(t.c);
    if (what.epilogue == LtEpilogue::none) row["error"] = error_of(t);
    Trial again(what, width, precision, o, device);
    row["same_bits_twice"] = again.run().usable() && bytes_of(again.c) == first;
    if (precision != Precision::f32) {
      const Trial f32(what, width, Precision::f32, o, device);
      row["differs_from_f32"] = f32.run().usable() && bytes_of(f32.c) != first;
    }
    if (what.epilogue == LtEpilogue::relu || what.epilogue == LtEpilogue::relu_mask)
      row["nan"] = nan_through_relu(Trial(what, width, precision, o, device));
    if (what.epilogue == LtEpilogue::relu_mask) {
      row["mask_at_zero"] = mask_where(Trial(what, width, precision, o, device), 0.0f);
      row["mask_for_nan"] = mask_where(Trial(what, width, precision, o, device), NAN);
      row["mask_above_zero"] = mask_where(Trial(what, width, precision, o, device), 1.0f);
      row["mask_below_zero"] = mask_where(Trial(what, width, precision, o, device), -1.0f);
    }
  }
  row["library_launches"] = library_launches(t);
  return row;
}

}  // namespace

nlohmann::json cublaslt_answers(Device device, const CublasltOptions& o) {
  nlohmann::json rows = nlohmann::json::array();
  for (const Precision precision : kPrecisions) {
    if (!device.backend().supports(precision)) continue;
    for (const std::int64_t width : o.widths)
      for (const Case& what : kCases) rows.push_back(answers_to(what, width, precision, o, device));
  }
  return {{"rows", rows}, {"batch", o.rows}, {"depth", o.depth}};
}

}  // namespace gpuvae::bench
