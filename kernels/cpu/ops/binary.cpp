// Binary operations with broadcasting.
#include "kernels/cpu/backend.h"
#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/simd/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/ops/binary.cpp"
#include "hwy/foreach_target.h"
#include "kernels/cpu/simd/simd_loop-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gpuvae::kernels::HWY_NAMESPACE {

template <Binary operation, class V>
HWY_INLINE V combine(V a, V b) {
  if constexpr (operation == Binary::add) return hn::Add(a, b);
  if constexpr (operation == Binary::subtract) return hn::Sub(a, b);
  if constexpr (operation == Binary::multiply) return hn::Mul(a, b);
  if constexpr (operation == Binary::divide) return hn::Div(a, b);
}

// An operand. Element (row, column) is data[row * row_step + column] if `varies` is true, and data[row *
// row_step] otherwise.
template <class T>
struct Operand {
  Operand(const void* pointer, Broadcast broadcast, std::int64_t columns)
      : data(as<T>(pointer)),
        row_step(broadcast == Broadcast::none ? columns : (broadcast == Broadcast::column ? 1 : 0)),
        varies(broadcast == Broadcast::none || broadcast == Broadcast::row) {}
  const T* data;
  std::int64_t row_step;
  bool varies;  // whether the operand varies along a row
};

// Computes a row or a part of it. a and b point to single elements if they do not vary along the row.
template <Binary operation, bool a_varies, bool b_varies, class T>
void combine_row(std::int64_t size, const T* a, const T* b, T* out) {
  each_vector<T>(0, size, [=](auto access, std::int64_t i) HWY_ATTR {
    const auto left = a_varies ? access.load(a + i) : hn::Set(access.d, *a);
    const auto right = b_varies ? access.load(b + i) : hn::Set(access.d, *b);
    access.store(combine<operation>(left, right), out + i);
  });
}

template <class T>
using CombineRow = void (*)(std::int64_t size, const T* a, const T* b, T* out);

template <Binary operation, class T>
CombineRow<T> select_row(bool a_varies, bool b_varies) {
  if (a_varies)
    return b_varies ? combine_row<operation, true, true, T> : combine_row<operation, true, false, T>;
  return b_varies ? combine_row<operation, false, true, T> : combine_row<operation, false, false, T>;
}
template <class T>
CombineRow<T> select_row(Binary operation, bool a_varies, bool b_varies) {
  switch (operation) {
    case Binary::add:
      return select_row<Binary::add, T>(a_varies, b_varies);
    case Binary::subtract:
      return select_row<Binary::subtract, T>(a_varies, b_varies);
    case Binary::multiply:
      return select_row<Binary::multiply, T>(a_varies, b_varies);
    case Binary::divide:
      break;
  }
  return select_row<Binary::divide, T>(a_varies, b_varies);
}

template <class T>
void binary_of(const BinaryArgs& g) {
  const auto flat = [](Broadcast b) { return b == Broadcast::none || b == Broadcast::scalar; };
  const bool one_row = flat(g.broadcast_a) && flat(g.broadcast_b);
  const std::int64_t rows = one_row ? 1 : g.rows, columns = one_row ? g.rows * g.columns : g.columns;
  if (rows == 0 || columns == 0) return;
  const Operand<T> a(g.a, g.broadcast_a, columns), b(g.b, g.broadcast_b, columns);
  T* out = as<T>(g.out);
  const bool worth = rows * columns >= kCheapGrain;
  const CombineRow<T> combine = select_row<T>(g.operation, a.varies, b.varies);
  if (rows == 1) {
    return parallel_chunks(Chunks::of_elements(columns), worth, [&](std::int64_t begin, std::int64_t end) {
      combine(end - begin, a.data + (a.varies ? begin : 0), b.data + (b.varies ? begin : 0), out + begin);
    });
  }
  parallel_chunks(Chunks::of_rows(rows, columns), worth, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row)
      combine(columns, a.data + row * a.row_step, b.data + row * b.row_step, out + row * columns);
  });
}

void BinaryOperation(const BinaryArgs& g) {
  with_float(g.dtype, "binary", [&](auto type) { binary_of<decltype(type)>(g); });
}

}  // namespace gpuvae::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gpuvae::kernels {
HWY_EXPORT(BinaryOperation);
void CpuBackend::run(const BinaryArgs& g, StreamHandle) { HWY_DYNAMIC_DISPATCH(BinaryOperation)(g); }
}  // namespace gpuvae::kernels
#endif
