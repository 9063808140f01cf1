// The last step of a dense layer, after its matrix product. kernels/cpu/ops/activation.cpp defines it.
#pragma once

#include "kernels/backend.h"

namespace gpuvae::kernels {

// Computes c = activation(c + bias) in place, in f32.
void add_bias_and_activate(const GemmArgs& g);

}  // namespace gpuvae::kernels
