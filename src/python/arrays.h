// Arrays of Python as tensors, and tensors as arrays of NumPy.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include "gpuvae/tensor.h"

namespace gpuvae::python {

// A float32 or uint8 array in host memory, of any shape and strides, from the buffer protocol or DLPack.
using InputArray = nanobind::ndarray<nanobind::ro>;
using OutputArray = nanobind::ndarray<nanobind::numpy, float>;

// Returns the rows [count, columns] of an array as a tensor on the CPU, which refers to the memory of the
// array. The array must outlive the tensor. Throws Error in the name of `operation` if the array is not a
// contiguous matrix of float32 or uint8 in host memory, or if it has another number of columns.
Tensor matrix_view(const InputArray& array, std::int64_t columns, const char* operation);

// Copies an f32 tensor from its device to a new array.
OutputArray to_array(const Tensor& tensor);

}  // namespace gpuvae::python
