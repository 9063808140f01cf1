// Matrix products by cuBLASLt. Descriptors and algorithms are cached per shape.
#pragma once

#include <cublasLt.h>

#include <map>
#include <memory>
#include <mutex>
#include <tuple>

#include "kernels/backend.h"

namespace gpuvae::kernels {

// Thread-safe. The first product loads cuBLASLt and initialises it on the current device.
class Matmul {
 public:
  Matmul();
  ~Matmul();
  Matmul(const Matmul&) = delete;
  Matmul& operator=(const Matmul&) = delete;

  // Returns the row stride of a ReLU mask in bits, for rows of n elements. cuBLASLt requires a multiple of 16
  // bytes.
  static std::int64_t mask_stride(std::int64_t n) { return (n + 127) / 128 * 128; }

  // Computes the product, including accumulation if requested, with at most one epilogue: bias (alone, with
  // ReLU, or with ReLU and its mask), sums, or the backward pass of ReLU. Returns false if cuBLASLt has no
  // algorithm for it, or only one whose ReLU turns NaN into 0 or whose mask differs from x > 0. The content
  // of c is then unspecified.
  bool run(const GemmArgs& args, void* workspace, std::size_t workspace_bytes, StreamHandle stream);

 private:
  struct Plan;
  enum class Epilogue { none, bias, bias_relu, bias_relu_bits, sums, through_relu };
  static Epilogue epilogue_of_args(const GemmArgs& args);
  struct Key {
    std::int64_t m, n, k;
    bool transpose_a, transpose_b, accumulate;
    Epilogue epilogue;
    Precision precision;
    unsigned alignment_a, alignment_b, alignment_c;
    auto operator<=>(const Key&) const = default;
  };
  static Key key_of(const GemmArgs& args);
  std::unique_ptr<Plan> make_plan(const GemmArgs& args, void* workspace, std::size_t workspace_bytes,
                                  StreamHandle stream);

  std::mutex mutex_;
  cublasLtHandle_t handle_ = nullptr;
  std::map<Key, std::unique_ptr<Plan>> plans_;
};

}  // namespace gpuvae::kernels
