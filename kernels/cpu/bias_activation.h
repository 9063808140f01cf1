// The end of a dense layer whose product is done; kernels/cpu/activation.cpp has it.
#pragma once

#include "kernels/backend.h"

namespace gpuvae::kernels {

// c = activation(c + bias), in f32.
void add_bias_and_activate(const GemmArgs& g);

}  // namespace gpuvae::kernels
