// The position of each of some numbers in a list.
#pragma once

#include "gpuvae/tensor.h"

namespace gpuvae::ops {

// Returns, for each of `ids` [rows], i32, its first position among `among` [candidates], i32, or -1: i32
// [rows].
Tensor match(const Tensor& ids, const Tensor& among);

}  // namespace gpuvae::ops
