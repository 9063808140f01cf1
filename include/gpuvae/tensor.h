// A value handle to shared, row-major, contiguous storage. Copies share the elements; clone() copies them.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "gpuvae/device.h"
#include "gpuvae/error.h"
#include "gpuvae/shape.h"
#include "gpuvae/types.h"

namespace gpuvae {

struct Storage;

// A multi-dimensional array on a device. A copy refers to the same elements; clone() copies them. Work on a
// tensor is queued on the current stream of its device and of the calling thread, and calls do not wait for
// it unless their comments say so. Threads may use copies at the same time, as long as no thread changes
// elements that another thread uses. Errors are thrown as Error.
class Tensor {
 public:
  // Creates an undefined tensor. It has no elements, and functions reject it unless their comments allow it.
  Tensor() = default;

  // Returns a tensor whose elements are not initialised.
  [[nodiscard]] static Tensor empty(Shape shape, DType dtype = DType::f32, Device device = Device::cpu());
  // Returns a tensor whose elements are all `value`.
  [[nodiscard]] static Tensor full(Shape shape, double value, DType dtype = DType::f32,
                                   Device device = Device::cpu());
  // Returns a tensor whose elements are all 0.
  [[nodiscard]] static Tensor zeros(Shape shape, DType dtype = DType::f32, Device device = Device::cpu());
  // @{
  // Copies `values` (as many as the shape has elements) to the device. Throws Error during a capture on the
  // device.
  [[nodiscard]] static Tensor from(std::span<const float> values, Shape shape, Device device = Device::cpu());
  [[nodiscard]] static Tensor from(std::span<const double> values, Shape shape);
  [[nodiscard]] static Tensor from(std::span<const std::uint8_t> values, Shape shape,
                                   Device device = Device::cpu());
  [[nodiscard]] static Tensor from(std::span<const std::int32_t> values, Shape shape,
                                   Device device = Device::cpu());
  // @}
  // Wraps foreign memory of `device`, which must be aligned for the dtype. `owner` is kept until the last
  // tensor that shares the memory, and the last CUDA graph that uses it, are destroyed; without an owner the
  // caller keeps the memory that long. To pass a deleter, use std::shared_ptr<void>(pointer, deleter) as the
  // owner. The deleter runs in any thread and must not throw. On CUDA, it runs when the work that uses the
  // memory has been queued, which may be before the work is done: free the memory in stream order
  // (cudaFreeAsync), or wait for the work.
  [[nodiscard]] static Tensor view(void* pointer, Shape shape, DType dtype, Device device,
                                   std::shared_ptr<void> owner = {});

  explicit operator bool() const { return storage_ != nullptr; }  // whether it is defined
  // @{
  // Shape, element type, device and size of the tensor.
  [[nodiscard]] const Shape& shape() const { return shape_; }
  [[nodiscard]] DType dtype() const { return dtype_; }
  [[nodiscard]] Device device() const { return device_; }
  // The number of elements; 1 for an undefined tensor, whose shape has rank 0.
  [[nodiscard]] std::int64_t elements() const { return shape_.elements(); }
  [[nodiscard]] std::size_t bytes() const { return static_cast<std::size_t>(elements()) * size_of(dtype_); }
  // @}
  // Returns the address of the first element in the memory of the device. Throws Error if the tensor is
  // undefined.
  [[nodiscard]] void* data() const;
  // Returns the address of the first element as a T*, for use on the CPU or by custom kernels. Throws Error
  // if T is not the dtype.
  template <class T>
  [[nodiscard]] T* data_as() const;

  // Returns the same elements with another shape, which has the same number of elements.
  [[nodiscard]] Tensor reshape(Shape shape) const;
  // Returns `count` rows of the first axis, beginning at row `first`, which share memory with this tensor.
  [[nodiscard]] Tensor slice(std::int64_t first, std::int64_t count) const;
  // Whether both tensors are parts of the same memory.
  [[nodiscard]] bool shares_storage_with(const Tensor& o) const { return storage_ == o.storage_; }
  // Whether no other handle refers to the memory, so that it may be overwritten. False for foreign memory.
  [[nodiscard]] bool is_sole_owner() const;

  // Returns a copy in new memory.
  [[nodiscard]] Tensor clone() const;
  // Returns a copy on another device, or the tensor itself if it is on that device. A copy from a GPU waits
  // for the GPU.
  [[nodiscard]] Tensor to(Device device) const;
  // Returns a copy with another dtype, or the tensor itself if it has that dtype.
  [[nodiscard]] Tensor to(DType dtype) const;
  // Overwrites the elements with those of a tensor of the same shape and dtype, on any device.
  void copy_from(const Tensor& source) const;
  // Sets all elements to `value`.
  void fill(double value) const;

  // How often the elements were changed in place: by fill, copy_from, an optimiser's step or a gradient
  // that backward() adds, or as reported by increment_version. Copies, slices and reshapes of a tensor share
  // its count; two views of the same foreign memory count separately; an undefined tensor has 0. backward()
  // throws Error if an operation saved a tensor whose version has changed since the recording. Work that a
  // captured graph repeats is counted only once, at the capture.
  [[nodiscard]] std::uint64_t version() const;
  // Reports a change in place by a program that writes to the elements through data() or with custom kernels.
  // Any thread may call it.
  void increment_version() const;

  // @{
  // Returns the elements on the host, after the current stream's work. item() requires exactly one element.
  [[nodiscard]] std::vector<float> to_vector() const;
  [[nodiscard]] std::vector<double> to_doubles() const;
  [[nodiscard]] double item() const;
  // @}

  // "f32[100, 784] on cpu".
  [[nodiscard]] std::string text() const;

 private:
  Tensor(std::shared_ptr<Storage> storage, std::size_t offset, Shape shape, DType dtype, Device device);
  [[nodiscard]] static Tensor from_bytes(const void* values, std::size_t count, Shape shape, DType dtype,
                                         Device device);

  std::shared_ptr<Storage> storage_;
  std::size_t offset_ = 0;  // bytes from the beginning of the storage
  Shape shape_;
  DType dtype_ = DType::f32;
  Device device_ = Device::cpu();
};

}  // namespace gpuvae
