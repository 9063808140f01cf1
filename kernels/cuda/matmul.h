// Matrix products by cuBLASLt, with descriptors and algorithms kept per shape.
#pragma once

#include <cublasLt.h>

#include <map>
#include <memory>
#include <mutex>
#include <tuple>

#include "kernels/backend.h"

namespace gpuvae::kernels {

// Thread-safe. Loads cuBLASLt with its first product, on the current device.
class Matmul {
 public:
  Matmul();
  ~Matmul();
  Matmul(const Matmul&) = delete;
  Matmul& operator=(const Matmul&) = delete;

  // The product with its bias and accumulation, without its activation. False if cuBLASLt has no
  // algorithm for it, and nothing was done.
  bool run(const GemmArgs& args, void* workspace, std::size_t workspace_bytes, StreamHandle stream);

 private:
  struct Plan;
  struct Key {
    std::int64_t m, n, k;
    bool transpose_a, transpose_b, accumulate, bias;
    Precision precision;
    unsigned alignment_a, alignment_b, alignment_c;
    auto operator<=>(const Key&) const = default;
  };
  static Key key_of(const GemmArgs& args);
  std::unique_ptr<Plan> make_plan(const Key& key, std::size_t workspace_bytes);

  std::mutex mutex_;
  cublasLtHandle_t handle_ = nullptr;
  std::map<Key, std::unique_ptr<Plan>> plans_;
};

}  // namespace gpuvae::kernels
