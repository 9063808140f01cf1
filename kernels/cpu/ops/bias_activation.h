// The last step of a dense layer, after its matrix product. kernels/cpu/ops/activation.cpp defines it.
#pragma once

#include <cstdint>

#include "kernels/backend.h"

namespace gpuvae::kernels {

// Some rows and columns of a matrix.
struct Block {
  std::int64_t first_row, end_row, first_column, end_column;
  std::int64_t rows() const { return end_row - first_row; }
  std::int64_t columns() const { return end_column - first_column; }
};

// Computes c = activation(c + bias) in place, in f32, for a block of c on the calling thread.
void add_bias_and_activate(const GemmArgs& g, const Block& block);
// The same for all of c, on all threads.
void add_bias_and_activate(const GemmArgs& g);

}  // namespace gpuvae::kernels
