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

template <Binary operation, bool a_varies, bool b_varies, class T>
void combine_all(std::int64_t rows, std::int64_t columns, const Operand<T>& a, const Operand<T>& b, T* out) {
  const bool worth = rows * columns >= kCheapGrain;
  if (rows == 1) {
    return parallel_chunks(Chunks::of_elements(columns), worth, [&](std::int64_t begin, std::int64_t end) {
      combine_row<operation, a_varies, b_varies>(end - begin, a.data + (a_varies ? begin : 0),
                                                 b.data + (b_varies ? begin : 0), out + begin);
    });
  }
  parallel_chunks(Chunks::of_rows(rows, columns), worth, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row)
      combine_row<operation, a_varies, b_varies>(columns, a.data + row * a.row_step,
                                                 b.data + row * b.row_step, out + row * columns);
  });
}

template <Binary operation, class T>
void binary_of(const BinaryArgs& g) {
  const auto flat = [](Broadcast b) { return b == Broadcast::none || b == Broadcast::scalar; };
  const bool one_row = flat(g.broadcast_a) && flat(g.broadcast_b);
  const std::int64_t rows = one_row ? 1 : g.rows, columns = one_row ? g.rows * g.columns : g.columns;
  if (rows == 0 || columns == 0) return;
  const Operand<T> a(g.a, g.broadcast_a, columns), b(g.b, g.broadcast_b, columns);
  T* out = as<T>(g.out);
  if (a.varies) {
    b.varies ? combine_all<operation, true, true>(rows, columns, a, b, out)
             : combine_all<operation, true, false>(rows, columns, a, b, out);
  } else {
    b.varies ? combine_all<operation, false, true>(rows, columns, a, b, out)
             : combine_all<operation, false, false>(rows, columns, a, b, out);
  }
}

template <class T>
void binary_of_type(const BinaryArgs& g) {
  switch (g.operation) {
    case Binary::add:
      return binary_of<Binary::add, T>(g);
    case Binary::subtract:
      return binary_of<Binary::subtract, T>(g);
    case Binary::multiply:
      return binary_of<Binary::multiply, T>(g);
    case Binary::divide:
      return binary_of<Binary::divide, T>(g);
  }
}

void BinaryOperation(const BinaryArgs& g) {
  with_float(g.dtype, "binary", [&](auto type) { binary_of_type<decltype(type)>(g); });
}

}  // namespace gpuvae::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gpuvae::kernels {
HWY_EXPORT(BinaryOperation);
void CpuBackend::run(const BinaryArgs& g, StreamHandle) { HWY_DYNAMIC_DISPATCH(BinaryOperation)(g); }
}  // namespace gpuvae::kernels
#endif
