// Matrix products by oneDNN, which runs sequentially on slices of c. Bias and activation are applied to each
// slice while it is in the cache. oneDNN's own ReLU turns NaN into 0, and oneDNN adds a bias in a separate
// pass too. Primitives are expensive to create and cheap to run, so each thread caches the primitives that it
// has created.
#include <array>
#include <dnnl.hpp>
#include <memory>
#include <unordered_map>
#include <vector>

#include "kernels/cpu/backend.h"
#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/gemm/blocked_signals.h"
#include "kernels/cpu/gemm/skinny_gemm.h"
#include "kernels/cpu/gemm/sparse_gemm.h"
#include "kernels/cpu/ops/bias_activation.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/parallel/sequential.h"
#include "kernels/math/functions.h"

namespace gpuvae::kernels {
namespace {

using dnnl::memory;

const dnnl::engine& engine() {
  static const dnnl::engine cpu(dnnl::engine::kind::cpu, 0);
  return cpu;
}

// The key of a cached primitive, which multiplies one slice. The strides are the distances between the rows
// of the whole matrices, as they are stored.
struct Key {
  std::int64_t m, n, k, a_stride, b_stride, c_stride;
  bool transpose_a, transpose_b, accumulate;
  bool operator==(const Key&) const = default;
};
struct KeyHash {
  std::size_t operator()(const Key& key) const {
    std::uint64_t h = 0;
    const auto mix = [&h](std::uint64_t value) {
      h = (h ^ value) * 0x9E3779B97F4A7C15ull;
      h ^= h >> 29;
    };
    for (const std::int64_t size : {key.m, key.n, key.k, key.a_stride, key.b_stride, key.c_stride})
      mix(static_cast<std::uint64_t>(size));
    mix(key.transpose_a * 4u | key.transpose_b * 2u | key.accumulate * 1u);
    return h;
  }
};

memory::desc matrix(std::int64_t rows, std::int64_t columns, std::int64_t stride, bool transposed) {
  const memory::dims strides = transposed ? memory::dims{1, stride} : memory::dims{stride, 1};
  return {{rows, columns}, memory::data_type::f32, strides};
}

dnnl::primitive_attr attributes_of(const Key& key) {
  dnnl::post_ops operations;
  if (key.accumulate) operations.append_sum(1);
  dnnl::primitive_attr attributes;
  attributes.set_post_ops(operations);
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attributes;
}

dnnl::matmul::primitive_desc describe(const Key& key) {
  const memory::desc a = matrix(key.m, key.k, key.a_stride, key.transpose_a);
  const memory::desc b = matrix(key.k, key.n, key.b_stride, key.transpose_b);
  const memory::desc c = matrix(key.m, key.n, key.c_stride, false);
#if DNNL_VERSION_MAJOR >= 3
  return dnnl::matmul::primitive_desc(engine(), a, b, c, attributes_of(key));
#else
  return {dnnl::matmul::desc(a, b, c), attributes_of(key), engine()};
#endif
}

// A primitive with its memory objects, which are set to the slice's matrices before each run.
class Product {
 public:
  explicit Product(const Key& key) : Product(describe(key)) {}

  void run(const void* a, const void* b, const void* c) {
    const std::array pointers = {a, b, c};
    for (std::size_t i = 0; i < memories_.size(); ++i)
      memories_[i].set_data_handle(const_cast<void*>(pointers[i]));
    dnnl::error::wrap_c_api(
        dnnl_primitive_execute(primitive_.get(), stream().get(), list_.size(), list_.data()),
        "could not execute a matrix product");
  }

 private:
  explicit Product(const dnnl::matmul::primitive_desc& d)
      : primitive_(d), scratchpad_(d.scratchpad_desc(), engine()) {
    const std::array names = {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST};
    const std::array descriptions = {d.src_desc(), d.weights_desc(), d.dst_desc()};
    for (std::size_t i = 0; i < memories_.size(); ++i) {
      memories_[i] = memory(descriptions[i], engine(), DNNL_MEMORY_NONE);
      list_[i] = {names[i], memories_[i].get()};
    }
    list_.back() = {DNNL_ARG_SCRATCHPAD, scratchpad_.get()};
  }
  static const dnnl::stream& stream() {
    thread_local const dnnl::stream of_thread(engine());
    return of_thread;
  }

  dnnl::matmul primitive_;
  memory scratchpad_;
  std::array<memory, 3> memories_;
  std::array<dnnl_exec_arg_t, 4> list_;
};

Product& product_of(const Key& key) {
  constexpr std::size_t kMaxKept = 1024;
  thread_local std::unordered_map<Key, Product, KeyHash> kept;
  auto found = kept.find(key);
  if (found == kept.end()) {
    if (kept.size() >= kMaxKept) kept.clear();
    found = kept.try_emplace(key, key).first;
  }
  return found->second;
}

// Cuts c into slices of `rows` rows and `columns` columns, which threads compute independently. The cut
// depends only on the shape, because oneDNN's results depend on the size of a slice.
struct Slices {
  std::int64_t rows, columns, down, across;

  explicit Slices(const GemmArgs& g) {
    // Smaller slices were measured to be clearly slower than their share of the whole product
    // (bench/NOTES.md).
    constexpr double kLeastWork = 2.5e6;
    constexpr std::int64_t kLeastColumns = 128, kMostAcross = 4, kLeastRows = 48, kMost = 64;
    const double work = static_cast<double>(g.m) * static_cast<double>(g.n) * static_cast<double>(g.k);
    const auto most = static_cast<std::int64_t>(std::clamp<double>(work / kLeastWork, 1, kMost));
    // Columns of a transposed a are contiguous, and rows of c are then cut without a loss.
    const std::int64_t wide =
        g.transpose_a ? 1 : std::clamp<std::int64_t>(g.n / kLeastColumns, 1, std::min(most, kMostAcross));
    const std::int64_t high =
        std::clamp<std::int64_t>(g.m / kLeastRows, 1, std::max<std::int64_t>(1, most / wide));
    columns = rounded_up((g.n + wide - 1) / wide, 16);
    rows = rounded_up((g.m + high - 1) / high, 4);
    across = (g.n + columns - 1) / columns;
    down = (g.m + rows - 1) / rows;
  }

 private:
  static std::int64_t rounded_up(std::int64_t x, std::int64_t multiple) {
    return (x + multiple - 1) / multiple * multiple;
  }
};

void multiply_slice(const GemmArgs& g, const Block& of) {
  const std::int64_t a_stride = g.transpose_a ? g.m : g.k, b_stride = g.transpose_b ? g.k : g.n;
  const Key key{.m = of.rows(),
                .n = of.columns(),
                .k = g.k,
                .a_stride = a_stride,
                .b_stride = b_stride,
                .c_stride = g.n,
                .transpose_a = g.transpose_a,
                .transpose_b = g.transpose_b,
                .accumulate = g.accumulate};
  product_of(key).run(as<float>(g.a) + of.first_row * (g.transpose_a ? 1 : a_stride),
                      as<float>(g.b) + of.first_column * (g.transpose_b ? b_stride : 1),
                      as<float>(g.c) + of.first_row * g.n + of.first_column);
}

void gemm_f32(const GemmArgs& g) {
  const Slices slices(g);
  const BlockedSignals blocked;  // the pool's other threads block signals at all times
  const bool finishes = g.bias || g.activation != Activation::identity;
  parallel_for(slices.down * slices.across, true, [&](std::int64_t slice) {
    const std::int64_t row = slice / slices.across * slices.rows,
                       column = slice % slices.across * slices.columns;
    const Block block{row, std::min(g.m, row + slices.rows), column, std::min(g.n, column + slices.columns)};
    const SequentialOpenMp sequential;
    multiply_slice(g, block);
    if (finishes) add_bias_and_activate(g, block);
  });
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
  if (sparse_gemm(g)) return;
  try {
    gemm_f32(g);
  } catch (const dnnl::error& error) {
    fail("gemm", "oneDNN: {} for [{}, {}] x [{}, {}]", error.what(), g.m, g.k, g.k, g.n);
  }
}

}  // namespace gpuvae::kernels
