// The matrix products of a training step, and nothing else.
#pragma once

#include <vector>

#include "gpuvae/vae.h"

namespace gpuvae::bench {

// Runs the matrix products of every dense layer of a model on random numbers: forward, weight gradient and
// input gradient (the first layer needs no input gradient). CUDA uses the backend's gemm (cuBLASLt). The CPU
// uses oneDNN's dnnl_sgemm, which computes slices of a result sequentially on the threads of the library's
// pool: the threads that OpenMP starts for oneDNN would keep spinning after the products, and slow down the
// training step that is measured next. The decoder's products have `draws` rows per image. The constructor
// measures several ways to cut each product into slices and keeps the fastest one. It throws Error if a
// product differs from the backend's.
class BareProducts {
 public:
  BareProducts(Vae& model, std::int64_t batch, std::int64_t draws = 1);
  void run() const;
  std::size_t count() const { return products_.size(); }

 private:
  struct Product {  // c[m, n] = op(a) op(b)
    bool transpose_a, transpose_b;
    std::int64_t m, n, k;
    Tensor a, b, c;
    std::int64_t rows, columns;  // of a slice of c
  };
  void add(bool transpose_a, bool transpose_b, std::int64_t m, std::int64_t n, std::int64_t k);
  static void multiply_on_cpu(const Product& product);
  static void multiply_by_backend(const Product& product, const Tensor& c);
  static void choose_slices(Product& product);
  void check() const;

  Device device_;
  std::vector<Product> products_;
};

}  // namespace gpuvae::bench
