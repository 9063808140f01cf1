// One matrix product as cuBLASLt's descriptors define it: D = epilogue(alpha op(A) op(B) + beta C).
#pragma once

#include <cublasLt.h>

#include <bit>
#include <cstddef>
#include <cstdint>

namespace emulator::detail {

struct Layout {
  cudaDataType_t type;
  std::uint64_t rows, columns;
  std::int64_t ld;
  std::int32_t order;
  std::int32_t batch;

  std::int64_t row_stride() const { return order == CUBLASLT_ORDER_ROW ? ld : 1; }
  std::int64_t column_stride() const { return order == CUBLASLT_ORDER_ROW ? 1 : ld; }
  std::size_t bytes() const {
    const std::uint64_t lines = order == CUBLASLT_ORDER_ROW ? rows : columns;
    const std::uint64_t length = order == CUBLASLT_ORDER_ROW ? columns : rows;
    return lines && length ? ((lines - 1) * std::uint64_t(ld) + length) * sizeof(float) : 0;
  }
  bool sound() const { return ld >= std::int64_t(order == CUBLASLT_ORDER_ROW ? columns : rows); }
  bool supported() const {
    return type == CUDA_R_32F && batch == 1 && (order == CUBLASLT_ORDER_COL || order == CUBLASLT_ORDER_ROW);
  }
};

struct Operation {
  cublasComputeType_t compute;
  cudaDataType_t scale;
  std::int32_t pointer_mode;
  cublasOperation_t transpose_a, transpose_b;
  cublasLtEpilogue_t epilogue;
  float* bias;
  cudaDataType_t bias_type;
  // The ReLU mask in NVIDIA's layout: one bit per element, with a column stride of mask_ld bits.
  std::uint8_t* mask;
  std::int64_t mask_ld;

  bool supported() const {
    const bool single = compute == CUBLAS_COMPUTE_32F || compute == CUBLAS_COMPUTE_32F_PEDANTIC ||
                        compute == CUBLAS_COMPUTE_32F_FAST_TF32 || compute == CUBLAS_COMPUTE_32F_FAST_16BF;
    switch (epilogue) {
      case CUBLASLT_EPILOGUE_DEFAULT:
      case CUBLASLT_EPILOGUE_RELU:
      case CUBLASLT_EPILOGUE_BIAS:
      case CUBLASLT_EPILOGUE_RELU_BIAS:
      case CUBLASLT_EPILOGUE_RELU_AUX:
      case CUBLASLT_EPILOGUE_RELU_AUX_BIAS:
      case CUBLASLT_EPILOGUE_DRELU:
      case CUBLASLT_EPILOGUE_DRELU_BGRAD:
      case CUBLASLT_EPILOGUE_BGRADA:
      case CUBLASLT_EPILOGUE_BGRADB:
        break;
      default:
        return false;
    }
    return single && scale == CUDA_R_32F && bias_type == CUDA_R_32F &&
           pointer_mode == CUBLASLT_POINTER_MODE_HOST;
  }
  // Returns a factor's element as the product reads it: rounded to nearest, ties to even.
  float rounded(float x) const {
    const int dropped = compute == CUBLAS_COMPUTE_32F_FAST_TF32   ? 13
                        : compute == CUBLAS_COMPUTE_32F_FAST_16BF ? 16
                                                                  : 0;
    auto bits = std::bit_cast<std::uint32_t>(x);
    if (dropped == 0 || (bits & 0x7f800000u) == 0x7f800000u) return x;  // infinities and NaN do not change
    bits += (1u << (dropped - 1)) - 1 + (bits >> dropped & 1);
    return std::bit_cast<float>(bits & ~((1u << dropped) - 1));
  }
  // Emulates that cuBLASLt may choose a kernel that is more precise than requested (PTX_TF32_AS_F32).
  void compute_tf32_as_f32() {
    if (compute == CUBLAS_COMPUTE_32F_FAST_TF32) compute = CUBLAS_COMPUTE_32F;
  }
  bool has(int part) const { return (epilogue & part) != 0; }
  bool rectifies() const { return has(CUBLASLT_EPILOGUE_RELU); }
  bool adds_bias() const { return has(CUBLASLT_EPILOGUE_BIAS); }
  bool uses_mask() const { return has(CUBLASLT_EPILOGUE_RELU_AUX & ~CUBLASLT_EPILOGUE_RELU); }
  bool masks() const { return uses_mask() && !rectifies(); }
  bool sums_rows_of_d() const { return has(CUBLASLT_EPILOGUE_DRELU_BGRAD & ~CUBLASLT_EPILOGUE_DRELU); }
  bool sums_a() const { return has(CUBLASLT_EPILOGUE_BGRADA); }
  bool sums_b() const { return has(CUBLASLT_EPILOGUE_BGRADB); }
  bool uses_bias() const { return adds_bias() || sums_rows_of_d() || sums_a() || sums_b(); }
};

struct Strided {  // op(X) with arbitrary strides
  const float* data;
  std::int64_t row_stride, column_stride;
  float operator()(std::uint64_t row, std::uint64_t column) const {
    return data[std::int64_t(row) * row_stride + std::int64_t(column) * column_stride];
  }
};

struct Product {
  Operation operation;
  Layout a, b, c, d;
  float alpha, beta;
  const float *pa, *pb, *pc;
  float* pd;
  bool relu_hides_nan = false;
  bool relu_mask_at_zero = false;  // the mask is !(x < 0) instead of x > 0

  bool transposed_a() const { return operation.transpose_a != CUBLAS_OP_N; }
  bool transposed_b() const { return operation.transpose_b != CUBLAS_OP_N; }
  std::uint64_t m() const { return transposed_a() ? a.columns : a.rows; }
  std::uint64_t n() const { return transposed_b() ? b.rows : b.columns; }
  std::uint64_t k() const { return transposed_a() ? a.rows : a.columns; }

  bool shapes_fit() const {
    const std::uint64_t k_of_b = transposed_b() ? b.columns : b.rows;
    return k() == k_of_b && d.rows == m() && d.columns == n() && c.rows == m() && c.columns == n() &&
           a.sound() && b.sound() && c.sound() && d.sound() && (!operation.uses_bias() || operation.bias) &&
           (!operation.uses_mask() || mask_fits());
  }
  // The mask must be aligned to 16 bytes, and its column stride must be a multiple of 16 bytes.
  bool mask_fits() const {
    return operation.mask && reinterpret_cast<std::uintptr_t>(operation.mask) % 16 == 0 &&
           operation.mask_ld % 128 == 0 && operation.mask_ld >= std::int64_t(m());
  }
  std::size_t mask_bytes() const { return std::size_t(operation.mask_ld) / 8 * n(); }
  std::uint8_t& mask_byte(std::uint64_t i, std::uint64_t j) const {
    return operation.mask[(j * std::uint64_t(operation.mask_ld) + i) / 8];
  }
  bool mask_bit(std::uint64_t i, std::uint64_t j) const { return mask_byte(i, j) >> i % 8 & 1; }
  void set_mask_bit(std::uint64_t i, std::uint64_t j, bool to) const {
    const auto bit = static_cast<std::uint8_t>(1u << i % 8);
    mask_byte(i, j) = static_cast<std::uint8_t>((mask_byte(i, j) & ~bit) | (to ? bit : 0));
  }
  cublasStatus_t status() const {
    if (!operation.supported() || !a.supported() || !b.supported() || !c.supported() || !d.supported() ||
        (operation.uses_mask() && d.order != CUBLASLT_ORDER_COL))
      return CUBLAS_STATUS_NOT_SUPPORTED;
    return shapes_fit() ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_INVALID_VALUE;
  }
  Strided op_a() const {
    const std::int64_t r = a.row_stride(), c = a.column_stride();
    return transposed_a() ? Strided{pa, c, r} : Strided{pa, r, c};
  }
  Strided op_b() const {
    const std::int64_t r = b.row_stride(), c = b.column_stride();
    return transposed_b() ? Strided{pb, c, r} : Strided{pb, r, c};
  }
};

// Checks that every operand lies inside one allocation. Throws emulator::Error.
void check_operand(const char* name, const void* p, std::size_t bytes, const Product& product);
void check_operands(const Product& product);
void run(const Product& product);

}  // namespace emulator::detail
