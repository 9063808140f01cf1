// Measures the error of the fused step's products against f64 on this device, which shows whether its tensor
// cores truncate.
#include <cuda_runtime_api.h>

#include <cmath>
#include <span>

#include "bench/gpu_probe.h"
#include "gpuvae/device/random.h"
#include "gpuvae/ops.h"
#include "kernels/backend.h"
#include "tests/kernels/fused_product_kernels.h"

namespace gpuvae::bench {
namespace {

struct Kind {
  const char* name;
  int multiply;  // kernels::FusedProduct::how
};
constexpr Kind kKinds[] = {{"ffma", 0}, {"split_tf32", 2}, {"tf32", 1}, {"bf16", 3}};

struct Factors {
  std::vector<float> a, b;
};

// With `pixels`, `a` holds whole numbers from 0 to 255, as images do, and the weights are positive. The sums
// then grow and truncation errors accumulate.
Factors draw(int tile, int depth, bool pixels, std::uint32_t seed) {
  Factors f;
  for (int i = 0; i < tile * depth; ++i) {
    const Philox4x32 bits = philox4x32(static_cast<std::uint32_t>(i), seed, 2, 3, 4);
    f.a.push_back(pixels ? static_cast<float>(bits.v[0] >> 24) : uniform01(bits.v[0]) - 0.5f);
    f.b.push_back(uniform01(bits.v[1]) - (pixels ? 0.0f : 0.5f));
  }
  return f;
}

struct Product {
  std::vector<double> c;
  double bound = 0;  // bound on the error of split TF32, relative to the sum of |a b|
};

Product product_of(const Kind& kind, const Factors& f, int tile, int depth, bool pixels, Device device) {
  const Tensor a = Tensor::from(f.a, {tile, depth}, device), b = Tensor::from(f.b, {tile, depth}, device);
  const Tensor c =
      Tensor::full({tile, tile}, NAN, DType::f32, device);  // elements that are not written stay NaN
  Stream::current(device).synchronize();
  const double bound = kernels::fused_product({kind.multiply, tile, depth, a.data_as<float>(),
                                               b.data_as<float>(), c.data_as<float>(), pixels, false});
  if (const cudaError_t error = cudaDeviceSynchronize(); error != cudaSuccess)
    throw Error("product_error", cudaGetErrorString(error));
  return {c.to_doubles(), bound};
}

// Errors relative to the product of the factors' norms: the largest, and the sum of errors with the sign of
// the result. `of_bound` is the largest error divided by its bound.
struct Errors {
  double largest = 0, of_bound = 0, toward_result = 0;
  std::int64_t count = 0, not_finite = 0;

  void add(double got, double bound, std::span<const float> a, std::span<const float> b) {
    double sum = 0, absolute = 0, aa = 0, bb = 0;
    for (std::size_t k = 0; k < a.size(); ++k) {
      const double x = a[k], y = b[k];
      sum += x * y;
      absolute += std::fabs(x * y);
      aa += x * x;
      bb += y * y;
    }
    const double error = (got - sum) / std::sqrt(aa * bb);
    ++count;
    if (!std::isfinite(error)) {
      ++not_finite;
      return;
    }
    largest = std::max(largest, std::fabs(error));
    of_bound = std::max(of_bound, std::fabs(got - sum) / (bound * absolute));
    toward_result += sum < 0 ? -error : error;
  }
};

nlohmann::json errors_of(const Kind& kind, int tile, bool pixels, Device device,
                         const ProductErrorOptions& o) {
  Errors errors;
  for (int seed = 1; seed <= o.seeds; ++seed) {
    const Factors f = draw(tile, o.depth, pixels, static_cast<std::uint32_t>(seed));
    const auto [c, bound] = product_of(kind, f, tile, o.depth, pixels, device);
    const auto row = [&](const std::vector<float>& matrix, int r) {
      return std::span(matrix).subspan(static_cast<std::size_t>(r * o.depth),
                                       static_cast<std::size_t>(o.depth));
    };
    for (int m = 0; m < tile; ++m)
      for (int n = 0; n < tile; ++n)
        errors.add(c[static_cast<std::size_t>(m * tile + n)], bound, row(f.a, m), row(f.b, n));
  }
  nlohmann::json row = {{"kind", kind.name},
                        {"tile", tile},
                        {"factors", pixels ? "pixels" : "floats"},
                        {"largest", errors.largest},
                        {"mean_toward_result", errors.toward_result / static_cast<double>(errors.count)},
                        {"not_finite", errors.not_finite}};
  if (kind.name == std::string("split_tf32")) row["of_bound"] = errors.of_bound;
  return row;
}

}  // namespace

nlohmann::json product_error(Device device, const ProductErrorOptions& o) {
  if (!device.backend().supports(Precision::tf32))
    return {{"unsupported", "the GPU has no tensor cores for TF32"}};
  nlohmann::json rows = nlohmann::json::array();
  for (const int tile : {16, 32})
    for (const bool pixels : {false, true})
      for (const Kind& kind : kKinds) rows.push_back(errors_of(kind, tile, pixels, device, o));
  return {{"depth", o.depth}, {"seeds", o.seeds}, {"rows", rows}};
}

}  // namespace gpuvae::bench
