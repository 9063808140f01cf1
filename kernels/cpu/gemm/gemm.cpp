// Matrix products by oneDNN. Bias and activation follow in a separate pass: oneDNN's ReLU turns NaN into 0,
// and oneDNN adds a bias in a separate pass too, which uses several threads even for small products.
// Primitives are expensive to create and cheap to run, so each thread caches the primitives that it has
// created.
#include <omp.h>

#include <array>
#include <dnnl.hpp>
#include <memory>
#include <unordered_map>
#include <vector>

#include "kernels/cpu/backend.h"
#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/gemm/skinny_gemm.h"
#include "kernels/cpu/gemm/sparse_gemm.h"
#include "kernels/cpu/ops/bias_activation.h"
#include "kernels/cpu/parallel.h"
#include "kernels/math/functions.h"

namespace gpuvae::kernels {
namespace {

using dnnl::memory;

const dnnl::engine& engine() {
  static const dnnl::engine cpu(dnnl::engine::kind::cpu, 0);
  return cpu;
}

// The key of a cached primitive. It includes the number of threads, because oneDNN divides the work when it
// creates the primitive.
struct Key {
  std::int64_t m, n, k;
  std::uint32_t threads;
  bool transpose_a, transpose_b, accumulate, bf16;
  bool operator==(const Key&) const = default;
};
struct KeyHash {
  std::size_t operator()(const Key& key) const {
    std::uint64_t h = 0;
    const auto mix = [&h](std::uint64_t value) { h = (h ^ value) * 0x9E3779B97F4A7C15ull, h ^= h >> 29; };
    mix(static_cast<std::uint64_t>(key.m));
    mix(static_cast<std::uint64_t>(key.n));
    mix(static_cast<std::uint64_t>(key.k));
    mix(std::uint64_t{key.threads} << 32 | key.transpose_a * 8u | key.transpose_b * 4u | key.accumulate * 2u |
        key.bf16 * 1u);
    return h;
  }
};

memory::desc matrix(std::int64_t rows, std::int64_t columns, bool transposed, bool bf16 = false) {
  const memory::dims strides =
      transposed ? memory::dims{1, std::max<std::int64_t>(1, rows)} : memory::dims{columns, 1};
  return {{rows, columns}, bf16 ? memory::data_type::bf16 : memory::data_type::f32, strides};
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
  const memory::desc a = matrix(key.m, key.k, key.transpose_a, key.bf16);
  const memory::desc b = matrix(key.k, key.n, key.transpose_b, key.bf16);
  const memory::desc c = matrix(key.m, key.n, false);
#if DNNL_VERSION_MAJOR >= 3
  return dnnl::matmul::primitive_desc(engine(), a, b, c, attributes_of(key));
#else
  return {dnnl::matmul::desc(a, b, c), attributes_of(key), engine()};
#endif
}

// A primitive with its memory objects, which are set to the caller's matrices before each run.
class Product {
 public:
  explicit Product(const Key& key) : Product(describe(key)) {}

  void run(const GemmArgs& g) {
    const std::array pointers = {g.a, g.b, static_cast<const void*>(g.c)};
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

// Rounds a matrix to bf16. The result is in memory of the calling thread and valid until the next call with
// the same `factor` (0 for a, 1 for b).
const void* rounded(const void* x, std::int64_t size, int factor) {
  thread_local std::array<std::vector<std::uint16_t>, 2> of_thread;
  std::vector<std::uint16_t>& bits = of_thread[static_cast<std::size_t>(factor)];
  if (bits.size() < static_cast<std::size_t>(size)) bits.resize(static_cast<std::size_t>(size));
  cpu_backend().cast({DType::f32, DType::bf16, size, x, bits.data()}, nullptr);
  return bits.data();
}

void gemm_f32(const GemmArgs& g) {
  constexpr std::size_t kMaxKept = 1024;
  thread_local std::unordered_map<Key, Product, KeyHash> kept;
  const auto threads = static_cast<std::uint32_t>(omp_get_max_threads());
  const Key key{g.m,           g.n,           g.k,          threads,
                g.transpose_a, g.transpose_b, g.accumulate, g.precision == Precision::bf16};
  auto found = kept.find(key);
  if (found == kept.end()) {
    if (kept.size() >= kMaxKept) kept.clear();
    found = kept.try_emplace(key, key).first;
  }
  GemmArgs product = g;
  if (key.bf16) {
    product.a = rounded(g.a, g.m * g.k, 0);
    product.b = rounded(g.b, g.k * g.n, 1);
  }
  found->second.run(product);
  if (g.bias || g.activation != Activation::identity) add_bias_and_activate(g);
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

bool CpuBackend::supports(Precision precision) const {
  const auto has = [](dnnl::cpu_isa isa) {  // an instruction set's bits include those of its subsets
    const auto bits = static_cast<unsigned>(isa);
    return (static_cast<unsigned>(dnnl::get_effective_cpu_isa()) & bits) == bits;
  };
  return precision == Precision::f32 ||
         (precision == Precision::bf16 && has(dnnl::cpu_isa::avx512_core_bf16));
}

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
  if (g.precision == Precision::f32 && sparse_gemm(g)) return;
  try {
    gemm_f32(g);
  } catch (const dnnl::error& error) {
    fail("gemm", "oneDNN: {} for [{}, {}] x [{}, {}]", error.what(), g.m, g.k, g.k, g.n);
  }
}

}  // namespace gpuvae::kernels
