// Arrays of Python as tensors, and tensors as arrays of NumPy.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <memory>
#include <optional>
#include <vector>

#include "gpuvae/tensor.h"

namespace gpuvae::python {

// An array of any type, shape and strides, from the buffer protocol or DLPack.
using InputArray = nanobind::ndarray<nanobind::ro>;
using OutputArray = nanobind::ndarray<nanobind::numpy>;

// @{
// The types that both DLPack and the library have: float32, float64, uint8 and int32.
std::optional<DType> dtype_of(nanobind::dlpack::dtype type);
nanobind::dlpack::dtype dlpack_type(DType dtype);
// @}
// NumPy's name of a type: "float32".
const char* numpy_name(DType dtype);

// Returns a tensor that refers to the memory of an array on `device` and that keeps `owner` alive. Throws
// Error in the name of `operation` if the array is not contiguous in C order, or if its type or its number of
// dimensions is not one of a tensor.
Tensor view_of(const InputArray& array, Device device, const char* operation,
               std::shared_ptr<void> owner = {});
// Returns an array in host memory as a tensor, which refers to the memory of the array. The array must
// outlive the tensor. Throws Error like view_of, and if the array is on another device.
Tensor host_view(const InputArray& array, const char* operation);

// The extents of a tensor as nanobind takes them.
std::vector<std::size_t> extents_of(const Shape& shape);
// Returns a capsule that deletes `value` when Python no longer refers to it.
template <class T>
nanobind::capsule owner_of(T* value) {
  return nanobind::capsule(value, [](void* p) noexcept { delete static_cast<T*>(p); });
}

// Returns the elements of a tensor in new host memory, or in its own if it is on the CPU.
OutputArray to_array(const Tensor& tensor);

}  // namespace gpuvae::python
