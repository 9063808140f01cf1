// The matrix products of a training step, and nothing else.
#pragma once

#include <vector>

#include "gpuvae/vae.h"

namespace gpuvae::bench {

// Runs the matrix products of every dense layer of a model on random numbers: forward, weight gradient and
// input gradient (the first layer needs no input gradient). The CPU uses oneDNN's dnnl_sgemm, CUDA uses the
// backend's gemm (cuBLASLt).
class BareProducts {
 public:
  BareProducts(Vae& model, std::int64_t batch);
  void run() const;
  std::size_t count() const { return products_.size(); }

 private:
  struct Product {  // c[m, n] = op(a) op(b)
    bool transpose_a, transpose_b;
    std::int64_t m, n, k;
    Tensor a, b, c;
  };
  void add(bool transpose_a, bool transpose_b, std::int64_t m, std::int64_t n, std::int64_t k);

  Device device_;
  std::vector<Product> products_;
};

}  // namespace gpuvae::bench
