// Argument structs of the kernels for element-wise functions, arithmetic on tensors, fills and conversions.
#pragma once

#include <cstdint>

#include "kernels/math/elementwise.h"
#include "kernels/ops/sizes.h"

namespace gpuvae::kernels {

// y = operation(x). `a` and `b` are the parameters of affine (a x + b) and clamp (to [a, b]); other
// operations ignore them.
struct UnaryArgs {
  DType dtype = DType::f32;
  Unary operation = Unary::affine;
  std::int64_t size = 0;
  double a = 1, b = 0;
  const void* x = nullptr;
  void* y = nullptr;  // may be x

  double bytes() const { return size_in_bytes(dtype, 2 * static_cast<double>(size)); }
};
// d_x = d_y * operation'(x)
struct UnaryBackwardArgs {
  DType dtype = DType::f32;
  Unary operation = Unary::affine;
  std::int64_t size = 0;
  double a = 1, b = 0;
  const void* saved = nullptr;  // y if math::slope_from_output(operation), otherwise x
  const void* d_y = nullptr;
  void* d_x = nullptr;  // may be d_y

  double bytes() const { return size_in_bytes(dtype, 3 * static_cast<double>(size)); }
};

enum class Binary : std::uint8_t { add, subtract, multiply, divide };
// The shape of an operand that is broadcast to [rows, columns].
enum class Broadcast : std::uint8_t {
  none,    // [rows, columns]
  row,     // [columns], the same for every row
  column,  // [rows], the same for every column
  scalar,  // [1]
};
struct BinaryArgs {
  DType dtype = DType::f32;
  Binary operation = Binary::add;
  std::int64_t rows = 0, columns = 0;
  const void* a = nullptr;
  const void* b = nullptr;
  void* out = nullptr;  // [rows, columns]; may be a or b, unless that operand is broadcast
  Broadcast broadcast_a = Broadcast::none, broadcast_b = Broadcast::none;

  double bytes() const {
    return size_in_bytes(dtype, elements(broadcast_a) + elements(broadcast_b) + times(rows, columns));
  }

 private:
  double elements(Broadcast broadcast) const {
    switch (broadcast) {
      case Broadcast::row:
        return static_cast<double>(columns);
      case Broadcast::column:
        return static_cast<double>(rows);
      case Broadcast::scalar:
        return 1;
      case Broadcast::none:
        break;
    }
    return times(rows, columns);
  }
};

// y = (alpha * *device_alpha) x + beta y
struct AxpbyArgs {
  DType dtype = DType::f32;
  std::int64_t size = 0;
  double alpha = 1, beta = 0;
  const void* device_alpha = nullptr;  // [1] of dtype, or null for 1
  const void* x = nullptr;
  void* y = nullptr;  // may be x; not read if beta is 0

  double bytes() const { return size_in_bytes(dtype, static_cast<double>(size) * (beta == 0 ? 2 : 3)); }
};

struct FillArgs {
  DType dtype = DType::f32;
  std::int64_t size = 0;
  double value = 0;
  void* out = nullptr;

  double bytes() const { return size_in_bytes(dtype, static_cast<double>(size)); }
};

// out = x, converted to another type: from u8, i32, f32, f64 or bf16 to f32, f64 or bf16 (f64 on the CPU
// only).
struct CastArgs {
  DType from = DType::f32, to = DType::f32;
  std::int64_t size = 0;
  const void* x = nullptr;
  void* out = nullptr;

  double bytes() const {
    return size_in_bytes(from, static_cast<double>(size)) + size_in_bytes(to, static_cast<double>(size));
  }
};

}  // namespace gpuvae::kernels
