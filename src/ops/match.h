// The position of each of some numbers in a list.
#pragma once

#include "gpuvae/tensor.h"

namespace gpuvae::ops {

// Returns, for each of `ids` [rows], i32, its first position among `among` [candidates], i32, or -1. Each
// result is repeated `times` times in a row: i32 [rows * times].
Tensor match(const Tensor& ids, const Tensor& among, std::int64_t times = 1);

}  // namespace gpuvae::ops
