// Arrays in the memory of a CUDA device, which Python's libraries exchange by DLPack.
#pragma once

#include <nanobind/nanobind.h>

#include <optional>
#include <string>
#include <utility>

#include "gpuvae/tensor.h"

namespace gpuvae::python {

// Memory of another library's array, or a result of this one. Several threads may use an array at the same
// time.
class DeviceArray {
 public:
  // Takes a tensor on a CUDA device whose elements are complete, as those of a result are.
  explicit DeviceArray(Tensor tensor) : tensor_(std::move(tensor)) {}

  // Wraps the memory of an array on the CUDA device `index` without a copy, and keeps the array's memory
  // alive. The array's `__dlpack__` makes the current stream of this thread wait for the work that computes
  // the elements, as the array API standard requires. Throws Error for other types than those of dtype_of,
  // for arrays that are not contiguous, for a capsule that was consumed before, and without such a device.
  static DeviceArray from_dlpack(const nanobind::object& array, int index);
  // Copies an array in host memory to a CUDA device ("cuda:0").
  static DeviceArray upload(const nanobind::object& array, const std::string& device);

  // The tensor, for its shape, dtype and device.
  const Tensor& tensor() const { return tensor_; }
  // The tensor, for work on the current stream, which first waits for the work that computes the elements.
  const Tensor& elements() const;

  // Returns the array as a DLPack capsule (`__dlpack__` of the array API standard). The elements are then
  // complete, so that no stream has to wait. Throws nb::buffer_error for another device than that of the
  // array.
  nanobind::object to_dlpack(const nanobind::object& stream, const nanobind::object& dl_device,
                             const nanobind::object& copy) const;
  // The kind of the device in DLPack, and its index.
  nanobind::tuple dlpack_device() const;
  // Whether all elements of a float32 array are in [low, high]. NaN is in no interval. Waits for the device.
  bool within(double low, double high) const;

 private:
  DeviceArray(Tensor tensor, Event ready) : tensor_(std::move(tensor)), ready_(std::move(ready)) {}

  Tensor tensor_;
  std::optional<Event> ready_;  // after which the elements are complete, if another library computes them
};

// Returns rows [count, columns] as a tensor: those of a DeviceArray, or those of an array in host memory,
// which must outlive the tensor. Throws Error in the name of `operation` for other arrays.
Tensor rows_of(const nanobind::object& array, std::int64_t columns, const char* operation);
// Returns a tensor as an array of NumPy if it is on the CPU, else as a DeviceArray.
nanobind::object to_python(const Tensor& tensor);

// Adds the class DeviceArray, and StreamGuard, which sets the current stream.
void define_device_array(nanobind::module_& module);

}  // namespace gpuvae::python
