// Tests which element of a matrix each lane and register of mma's fragments holds. Four sources must agree:
// the formulas of the PTX ISA manual (sections "Matrix Fragments for mma.m16n8k8" and "... mma.m16n8k16"),
// the layouts that CUTLASS publishes for the same instructions (MMA_Traits of SM80_16x8x8_F32TF32TF32F32_TN
// and SM80_16x8x16_F32BF16BF16F32_TN, as shapes and strides), the executor, and the loads and stores of the
// fused kernels.
#include <gtest/gtest.h>

#include <bit>
#include <set>

#include "fragments.h"

namespace ptx {
namespace {

struct Place {
  int row, column;
  bool operator==(const Place&) const = default;
};
using Places = std::vector<std::vector<Place>>;  // by lane and value

struct Layout {
  Places a, b, c;
  int k;
};

template <class F>
Places places(int values, F f) {
  Places all(32);
  for (int lane = 0; lane < 32; ++lane)
    for (int i = 0; i < values; ++i) all[static_cast<std::size_t>(lane)].push_back(f(lane >> 2, lane % 4, i));
  return all;
}

// The manual's formulas: g is groupID, t is threadID_in_group.
Place manual_c(int g, int t, int i) { return {i < 2 ? g : g + 8, t * 2 + (i & 1)}; }

Layout manual_tf32() {
  const auto a = [](int g, int t, int i) {
    return Place{i == 0 || i == 2 ? g : g + 8, i == 0 || i == 1 ? t : t + 4};
  };
  const auto b = [](int g, int t, int i) { return Place{i == 0 ? t : t + 4, g}; };
  return {places(4, a), places(2, b), places(4, manual_c), 8};
}

Layout manual_bf16() {
  const auto a = [](int g, int t, int i) {
    const bool upper = (0 <= i && i < 2) || (4 <= i && i < 6);
    return Place{upper ? g : g + 8, i < 4 ? t * 2 + (i & 1) : t * 2 + (i & 1) + 8};
  };
  const auto b = [](int g, int t, int i) { return Place{i < 2 ? t * 2 + (i & 1) : t * 2 + (i & 1) + 8, g}; };
  return {places(8, a), places(4, b), places(4, manual_c), 16};
}

// A CUTLASS layout: the shape and strides of the value index, and the strides of the thread index, whose
// shape is 4 x 8. Offsets are column-major in a matrix with `rows` rows: M = 16 rows for A and C, N = 8 rows
// for B, whose columns are k.
struct Strided {
  std::vector<int> value_shape, value_stride;
  int thread_stride[2];
  int rows;
};

Places published(const Strided& s) {
  int values = 1;
  for (const int n : s.value_shape) values *= n;
  return places(values, [&](int g, int t, int i) {
    int offset = t * s.thread_stride[0] + g * s.thread_stride[1];
    for (std::size_t k = 0; k < s.value_shape.size(); ++k) {
      offset += i % s.value_shape[k] * s.value_stride[k];
      i /= s.value_shape[k];
    }
    return Place{offset % s.rows, offset / s.rows};
  });
}

// CUTLASS stores B as N by K.
Places transposed(Places all) {
  for (auto& lane : all)
    for (Place& p : lane) std::swap(p.row, p.column);
  return all;
}

const Strided kRowMajorC = {{2, 2}, {16, 8}, {32, 1}, 16};
Layout published_tf32() {
  return {published({{2, 2}, {8, 64}, {16, 1}, 16}), transposed(published({{2}, {32}, {8, 1}, 8})),
          published(kRowMajorC), 8};
}
Layout published_bf16() {
  return {published({{2, 2, 2}, {16, 8, 128}, {32, 1}, 16}),
          transposed(published({{2, 2}, {8, 64}, {16, 1}, 8})), published(kRowMajorC), 16};
}

// A value of a fragment is one TF32 register or half of a bfloat16 register.
template <std::size_t N>
void put(Fragment<std::uint32_t, N>& fragment, int k, std::size_t lane, std::size_t value, float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  if (k == 8)
    fragment[lane][value] = bits;
  else
    fragment[lane][value / 2] |= value % 2 ? bits & 0xffff0000u : bits >> 16;
}

// The elements of B encode their positions, and A is zero except for a single 1 at (m, k). Row m of D must
// then equal row k of B.
void check_against_executor(const Layout& layout) {
  const auto name = [](const Place& p) { return static_cast<float>(1 + p.row * 8 + p.column); };
  Operands filled;
  for (std::size_t lane = 0; lane < 32; ++lane)
    for (std::size_t v = 0; v < layout.b[lane].size(); ++v)
      put(filled.b, layout.k, lane, v, name(layout.b[lane][v]));
  const std::size_t values = layout.a[0].size();
  std::vector<Operands> operands(32 * values, filled);
  for (std::size_t n = 0; n < operands.size(); ++n) put(operands[n].a, layout.k, n / values, n % values, 1);
  const auto d = multiply(layout.k == 8 ? kTf32 : kBf16, operands);
  for (std::size_t n = 0; n < operands.size(); ++n) {
    const Place one = layout.a[n / values][n % values];
    for (std::size_t lane = 0; lane < 32; ++lane)
      for (std::size_t r = 0; r < 4; ++r) {
        const Place at = layout.c[lane][r];
        const float expected = at.row == one.row ? name({one.column, at.column}) : 0;
        ASSERT_EQ(d[n][lane][r], expected) << "A at lane " << n / values << ", value " << n % values
                                           << "; D at lane " << lane << ", register " << r;
      }
  }
}

void check_complete(const Places& all, int rows, int columns) {
  std::set<std::pair<int, int>> seen;
  for (const auto& lane : all)
    for (const Place& p : lane) seen.insert({p.row, p.column});
  EXPECT_EQ(seen.size(), static_cast<std::size_t>(rows * columns));
}

void check_layout(const Layout& manual, const Layout& other) {
  EXPECT_EQ(manual.a, other.a);
  EXPECT_EQ(manual.b, other.b);
  EXPECT_EQ(manual.c, other.c);
  check_complete(manual.a, 16, manual.k);
  check_complete(manual.b, manual.k, 8);
  check_complete(manual.c, 16, 8);
  check_against_executor(manual);
  check_against_executor(other);
}

TEST(PtxLayouts, Tf32) { check_layout(manual_tf32(), published_tf32()); }
TEST(PtxLayouts, Bfloat16) { check_layout(manual_bf16(), published_bf16()); }

// C and D use the same layout.
TEST(PtxLayouts, AccumulatorAndResultShareALayout) {
  Operands o;
  for (std::size_t lane = 0; lane < 32; ++lane)
    for (std::size_t r = 0; r < 4; ++r) o.c[lane][r] = static_cast<float>(4 * lane + r) + 0.5f;
  EXPECT_EQ(multiply(kTf32, {o})[0], o.c);
  EXPECT_EQ(multiply(kBf16, {o})[0], o.c);
}

std::string product_kernel(const Module& module, int how, int tile) {
  const std::string multiply = "MultiplyE" + std::to_string(how) + "E",
                    size = "Li" + std::to_string(tile) + "E";
  for (const std::string& name : module.kernels())
    if (name.find("product_kernel") != std::string::npos && name.find(multiply) != std::string::npos &&
        name.find(size) != std::string::npos)
      return name;
  throw Error("[product_kernel] expected a kernel for " + multiply + " and " + size);
}

// Computes c[m, n] = sum over k of a[m, k] b[n, k] with the fused kernels' functions that load fragments.
// `how` is 0 for FFMA, 1 for TF32, 2 for split TF32 and 3 for bfloat16. If a is zero except for a single 1 at
// (m, k), row m of c equals column k of b, whose elements are exact in bfloat16.
void check_product(int how, int tile, int depth) {
  const Module module = load_module("fused_product");
  const Kernel& kernel = module.kernel(product_kernel(module, how, tile));
  Memory memory;
  const auto elements = static_cast<std::size_t>(tile * depth);
  std::vector<float> numbers(elements);
  for (std::size_t n = 0; n < elements; ++n) numbers[n] = static_cast<float>(1 + n * 7 % 256);
  float* a = upload(memory, std::vector<float>(elements, 0.0f), "a");
  float* b = upload(memory, numbers, "b");
  float* c = memory.allocate<float>(static_cast<std::size_t>(tile * tile), "c");
  const bool bytes = false;
  const void* arguments[] = {&a, &b, &c, &depth, &bytes, &bytes};
  for (int place = 0; place < tile * depth; ++place) {
    a[place] = 1;
    run(memory, {{module.prepare(kernel, {1}, {256}, 64 << 10, arguments)}}, module.options);
    a[place] = 0;
    for (int m = 0; m < tile; ++m)
      for (int n = 0; n < tile; ++n) {
        const float expected =
            m == place / depth ? numbers[static_cast<std::size_t>(n * depth + place % depth)] : 0;
        ASSERT_EQ(c[m * tile + n], expected) << "a at " << place << ", c at " << m << ", " << n;
      }
  }
}

TEST(PtxLayouts, FusedKernelsUseTheSameLayouts) {
  for (const int how : {0, 1, 2, 3}) check_product(how, 16, 16);
}

}  // namespace
}  // namespace ptx
