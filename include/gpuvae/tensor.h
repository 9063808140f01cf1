// A value handle on shared, row-major, contiguous storage. Copies share the elements; clone() copies them.
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
// tensor is put on the current stream of its device and of the calling thread, and calls do not wait for it
// unless they say so. Threads may use copies at once, as long as none changes elements that another one uses.
// Errors are thrown as Error.
class Tensor {
 public:
  // Undefined: it has no elements, and only what says so accepts it.
  Tensor() = default;

  // Elements that have no value yet.
  [[nodiscard]] static Tensor empty(Shape shape, DType dtype = DType::f32, Device device = Device::cpu());
  // All elements are `value`.
  [[nodiscard]] static Tensor full(Shape shape, double value, DType dtype = DType::f32,
                                   Device device = Device::cpu());
  // All elements are 0.
  [[nodiscard]] static Tensor zeros(Shape shape, DType dtype = DType::f32, Device device = Device::cpu());
  // @{
  // Copies `values` (as many as the shape has elements) to the device. Throws Error while the device is
  // captured.
  [[nodiscard]] static Tensor from(std::span<const float> values, Shape shape, Device device = Device::cpu());
  [[nodiscard]] static Tensor from(std::span<const double> values, Shape shape);
  [[nodiscard]] static Tensor from(std::span<const std::uint8_t> values, Shape shape,
                                   Device device = Device::cpu());
  [[nodiscard]] static Tensor from(std::span<const std::int32_t> values, Shape shape,
                                   Device device = Device::cpu());
  // @}
  // Wraps foreign memory of `device`, aligned for the dtype. `owner` is kept until the last tensor that
  // shares the memory is gone, and until a CUDA graph that uses it is gone; without an owner the caller keeps
  // the memory that long. A deleter is an owner: std::shared_ptr<void>(pointer, deleter). It runs in any
  // thread and must not throw. On CUDA it runs when the work that uses the memory has been queued, not when
  // that is done: free in the order of the stream (cudaFreeAsync), or wait for it.
  [[nodiscard]] static Tensor view(void* pointer, Shape shape, DType dtype, Device device,
                                   std::shared_ptr<void> owner = {});

  explicit operator bool() const { return storage_ != nullptr; }  // whether it is defined
  // @{
  // What the tensor is, and its size.
  [[nodiscard]] const Shape& shape() const { return shape_; }
  [[nodiscard]] DType dtype() const { return dtype_; }
  [[nodiscard]] Device device() const { return device_; }
  [[nodiscard]] std::int64_t elements() const { return shape_.elements(); }
  [[nodiscard]] std::size_t bytes() const { return static_cast<std::size_t>(elements()) * size_of(dtype_); }
  // @}
  // The first element, in the memory of the device. Throws Error if the tensor is undefined.
  [[nodiscard]] void* data() const;
  // The same, for use on the CPU or by kernels of a program's own. Throws Error if T is not the dtype.
  template <class T>
  [[nodiscard]] T* data_as() const;

  // The same elements in another shape with as many of them.
  [[nodiscard]] Tensor reshape(Shape shape) const;
  // The same elements, `count` rows of the first axis from row `first` on.
  [[nodiscard]] Tensor slice(std::int64_t first, std::int64_t count) const;
  // Whether both are parts of the same memory.
  [[nodiscard]] bool shares_storage_with(const Tensor& o) const { return storage_ == o.storage_; }
  // Whether no other handle has the memory, so that it may be overwritten. False for foreign memory.
  [[nodiscard]] bool is_sole_owner() const;

  // A copy in new memory.
  [[nodiscard]] Tensor clone() const;
  // A copy on another device, or the tensor itself if it is there. Waits for the copy from a GPU.
  [[nodiscard]] Tensor to(Device device) const;
  // A copy with another dtype, or the tensor itself if it has that dtype.
  [[nodiscard]] Tensor to(DType dtype) const;
  // Overwrites the elements with those of a tensor of the same shape and dtype, on any device.
  void copy_from(const Tensor& source) const;
  // Sets all elements.
  void fill(double value) const;

  // How often the elements were changed in place: by fill, copy_from, an optimiser's step, or as the program
  // reports. All tensors that share elements share the count; 0 for an undefined tensor. backward() throws
  // Error if an operation kept a tensor for it whose version is no longer that of the recording. Work that a
  // captured graph repeats is counted once, when it is captured.
  [[nodiscard]] std::uint64_t version() const;
  // For programs that write to the elements through data(), or with kernels of their own. Any thread.
  void increment_version() const;

  // @{
  // The elements on the host, after the current stream's work. item() requires exactly one element.
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
  std::size_t offset_ = 0;  // bytes
  Shape shape_;
  DType dtype_ = DType::f32;
  Device device_ = Device::cpu();
};

}  // namespace gpuvae
