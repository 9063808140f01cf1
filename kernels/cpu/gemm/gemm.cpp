// Matrix products by oneDNN, which runs sequentially on slices of c. Bias and activation are applied to each
// slice while it is in the cache. dnnl_sgemm was measured to be up to 10 % faster on slices than oneDNN's
// matmul primitives, and needs no cache of primitives.
#include <dnnl.h>
#include <dnnl_debug.h>

#include <algorithm>
#include <bit>

#include "kernels/cpu/backend.h"
#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/gemm/blocked_signals.h"
#include "kernels/cpu/gemm/skinny_gemm.h"
#include "kernels/cpu/gemm/slices.h"
#include "kernels/cpu/gemm/small_gemm.h"
#include "kernels/cpu/gemm/sparse_gemm.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/parallel/sequential.h"
#include "kernels/cpu/scratch.h"
#include "kernels/math/functions.h"

namespace gpuvae::kernels {
namespace {

// The largest power of two that is at most `limit` and at least 1.
std::int64_t power_of_two(double limit) {
  return static_cast<std::int64_t>(std::bit_floor(static_cast<std::uint64_t>(std::max(1.0, limit))));
}

}  // namespace

// The limits follow from measurements of slices (bench/NOTES.md). Powers of two occupy two, four, ... threads
// evenly.
Slices::Slices(const GemmArgs& g) : rows_{g.m, 1, 4}, columns_{g.n, 1, 16}, k_(g.k) {
  constexpr double kMinWork = 2.5e6, kMinWorkOfTwo = 0.4e6, kMaxSlices = 64, kMaxAcross = 4;
  const auto m = static_cast<double>(g.m), n = static_cast<double>(g.n);
  const double work = m * n * static_cast<double>(g.k);
  // Columns of a transposed a are contiguous, and rows of c are then cut without a loss.
  if (g.transpose_a) {
    rows_.count = power_of_two(std::min({m / 32, work / kMinWorkOfTwo, kMaxSlices}));
    return;
  }
  // Halves pay off if c, which they sum, is small compared with b.
  if (!g.transpose_b && work >= kMinWork && g.n >= 64 && g.k >= 2 * g.m) {
    halves_ = 2;
    columns_.count = g.n >= 128 ? 2 : 1;
    return;
  }
  const double most = std::min(kMaxSlices, std::max(work / kMinWork, work / kMinWorkOfTwo >= 2 ? 2.0 : 1.0));
  const double least_columns = g.transpose_b ? 48 : 128;
  const std::int64_t wide = power_of_two(std::min({n / least_columns, most, kMaxAcross}));
  // Each slice of rows packs b again, which costs most if b is transposed and wide.
  const double least_rows = !g.transpose_b ? 24 : wide == 1 ? 32 : wide == 2 ? 48 : 96;
  const std::int64_t high = power_of_two(std::min(m / least_rows, most / static_cast<double>(wide)));
  const bool is_flat = wide * high == 1 && most >= 2 && n >= 64;
  rows_.count = high;
  columns_.count = is_flat ? 2 : wide;
}

Slices::Slice Slices::slice(std::int64_t i) const {
  const std::int64_t blocks = rows_.count * columns_.count, half = i / blocks;
  const std::int64_t row = i % blocks / columns_.count, column = i % columns_.count;
  const Parts depth{k_, halves_, 4};
  return {{rows_.bound(row), rows_.bound(row + 1), columns_.bound(column), columns_.bound(column + 1)},
          depth.bound(half),
          depth.bound(half + 1)};
}

namespace {

// Computes a slice on the calling thread, into the matrix c.
void multiply_slice(const GemmArgs& g, const Slices::Slice& of, float* c, bool accumulate) {
  const std::int64_t a_stride = g.transpose_a ? g.m : g.k, b_stride = g.transpose_b ? g.k : g.n;
  const auto at = [](const void* factor, std::int64_t row, std::int64_t column, std::int64_t stride,
                     bool transposed) {
    return as<float>(factor) + (transposed ? column * stride + row : row * stride + column);
  };
  const SequentialOpenMp sequential;
  const dnnl_status_t status =
      dnnl_sgemm(g.transpose_a ? 'T' : 'N', g.transpose_b ? 'T' : 'N', of.block.rows(), of.block.columns(),
                 of.end_k - of.first_k, 1, at(g.a, of.block.first_row, of.first_k, a_stride, g.transpose_a),
                 a_stride, at(g.b, of.first_k, of.block.first_column, b_stride, g.transpose_b), b_stride,
                 accumulate ? 1.0f : 0.0f, c + of.block.first_row * g.n + of.block.first_column, g.n);
  if (status == dnnl_success) return;
  fail(Origin("gemm", status == dnnl_out_of_memory ? ErrorKind::out_of_memory : ErrorKind::unsupported),
       "oneDNN: {} for [{}, {}] x [{}, {}]", dnnl_status2str(status), g.m, g.k, g.k, g.n);
}

// y += x.
void add(const float* x, float* y, std::int64_t size) {
  const Chunks chunks = Chunks::of_elements(size);
  parallel_chunks(chunks, size >= kCostlyGrain, [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) y[i] += x[i];
  });
}

void gemm_f32(const GemmArgs& g) {
  const Slices slices(g);
  const BlockedSignals blocked;  // the pool's other threads block signals at all times
  const bool finishes = g.bias || g.activation != Activation::identity;
  const Scratch<float> second_half(slices.halved() ? g.m * g.n : 0);
  parallel_for(slices.count(), true, [&](std::int64_t i) {
    const Slices::Slice slice = slices.slice(i);
    if (slice.of_second_half()) return multiply_slice(g, slice, second_half.get(), false);
    multiply_slice(g, slice, as<float>(g.c), g.accumulate);
    if (finishes && !slices.halved()) add_bias_and_activate(g, slice.block);
  });
  if (!slices.halved()) return;
  add(second_half.get(), as<float>(g.c), g.m * g.n);
  if (finishes) add_bias_and_activate(g);
}

// A simple implementation for gradient checks and for products with k = 0, where speed does not matter.
template <class T>
void gemm_plain(const GemmArgs& g) {
  const std::int64_t a_row = g.transpose_a ? 1 : g.k, a_column = g.transpose_a ? g.m : 1;
  const std::int64_t b_row = g.transpose_b ? 1 : g.n, b_column = g.transpose_b ? g.k : 1;
  parallel_for(g.m, g.m * g.n * (g.k + 1) > kCheapGrain, [&](std::int64_t i) {
    T* c = as<T>(g.c) + i * g.n;
    if (!g.accumulate)
      for (std::int64_t j = 0; j < g.n; ++j) c[j] = g.bias ? as<T>(g.bias)[j] : T(0);
    for (std::int64_t p = 0; p < g.k; ++p) {
      const T a = as<T>(g.a)[i * a_row + p * a_column];
      const T* b = as<T>(g.b) + p * b_row;
      for (std::int64_t j = 0; j < g.n; ++j) c[j] += a * b[j * b_column];
    }
    if (g.activation_input) std::copy_n(c, g.n, as<T>(g.activation_input) + i * g.n);
    for (std::int64_t j = 0; j < g.n; ++j) c[j] = math::activate(g.activation, c[j]);
  });
}

}  // namespace

bool CpuBackend::supports(Precision precision) const { return precision == Precision::f32; }

void CpuBackend::run(const GemmArgs& g, StreamHandle) {
  check(g.dtype == DType::f32 || g.dtype == DType::f64, "gemm", "expected f32 or f64, got {}", name(g.dtype));
  check(supports(g.precision), unsupported("gemm"), "expected a precision that this CPU supports, got {}",
        name(g.precision));
  check(!g.relu.bits && !g.relu.output, "gemm", "expected no ReLU mask on the CPU, got one");
  check(!g.sums || g.transpose_a, "gemm", "sums requires transpose_a");
  if (g.sums)
    run(
        ActivationBackwardArgs{
            .dtype = g.dtype, .rows = g.k, .columns = g.m, .d_output = g.a, .d_bias = g.sums},
        nullptr);
  if (g.m == 0 || g.n == 0) return;
  if (g.dtype == DType::f64) return gemm_plain<double>(g);
  if (g.k == 0) return gemm_plain<float>(g);
  if (skinny_gemm(g)) return;
  if (small_gemm(g)) return;
  if (sparse_gemm(g)) return;
  gemm_f32(g);
}

}  // namespace gpuvae::kernels
