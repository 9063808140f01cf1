// Tensors: handles to row-major, contiguous storage on a device.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "gpuvae/device.h"
#include "gpuvae/error.h"
#include "gpuvae/shape.h"
#include "gpuvae/types.h"

#pragma GCC visibility push(default)
namespace gpuvae {

struct Storage;

// A multi-dimensional array on a device. A copy refers to the same elements; clone() copies them. Work on a
// tensor is queued on the calling thread's current stream for the tensor's device. A call does not wait for
// this work unless its comment says so. Threads may use copies at the same time, as long as no thread changes
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
  // Copies `values`, one per element of the shape, to the device. Throws Error if the number differs, and
  // during a capture on the device.
  [[nodiscard]] static Tensor from(std::span<const float> values, Shape shape, Device device = Device::cpu());
  [[nodiscard]] static Tensor from(std::span<const double> values, Shape shape);
  [[nodiscard]] static Tensor from(std::span<const std::uint8_t> values, Shape shape,
                                   Device device = Device::cpu());
  [[nodiscard]] static Tensor from(std::span<const std::int32_t> values, Shape shape,
                                   Device device = Device::cpu());
  // @}
  // Wraps memory of `device` that the library did not allocate. The pointer must be aligned for the dtype.
  // The tensor keeps `owner` alive until the last tensor that shares the memory, and the last CUDA graph that
  // uses it, are destroyed. Without an owner, the caller must keep the memory that long. To pass a deleter,
  // use std::shared_ptr<void>(pointer, deleter) as the owner. The deleter may run in any thread and must not
  // throw. On CUDA, it may run while queued work still uses the memory: free the memory in stream order
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

  // Returns the same elements with another shape of the same number of elements. Both tensors share the
  // memory.
  [[nodiscard]] Tensor reshape(Shape shape) const;
  // Returns rows `first`, ..., `first + count - 1` of the first axis. They share memory with this tensor.
  [[nodiscard]] Tensor slice(std::int64_t first, std::int64_t count) const;
  // Whether both tensors share one block of memory, even if they are different parts of it.
  [[nodiscard]] bool shares_storage_with(const Tensor& o) const { return storage_ == o.storage_; }
  // Whether no other tensor shares the memory, so that it may be overwritten. False for memory wrapped by
  // view().
  [[nodiscard]] bool is_sole_owner() const;

  // Returns a copy in new memory.
  [[nodiscard]] Tensor clone() const;
  // Returns a copy on another device, or the tensor itself if it is on that device already. Copying from a
  // GPU makes the host wait. Throws Error for two different GPUs.
  [[nodiscard]] Tensor to(Device device) const;
  // Returns a copy with another dtype, or the tensor itself if it has that dtype.
  [[nodiscard]] Tensor to(DType dtype) const;
  // Overwrites the elements with those of a tensor of the same shape and dtype. The source may be on another
  // device, but copies between two GPUs throw Error.
  void copy_from(const Tensor& source) const;
  // Sets all elements to `value`.
  void fill(double value) const;

  // The number of in-place changes of the elements: by fill, copy_from, an optimiser's step or the
  // accumulation of a gradient in backward(), or reported by increment_version. Copies, slices and reshaped
  // tensors share one count. Two view()s of the same memory count separately. An undefined tensor has version
  // 0. backward() throws Error if an operation saved a tensor whose version has changed since the recording.
  // Changes inside a captured graph are counted once, during the capture, and not at each launch.
  [[nodiscard]] std::uint64_t version() const;
  // Reports an in-place change. Call it after writing to the elements through data() or with custom kernels.
  // Any thread may call it.
  void increment_version() const;

  // @{
  // Waits for the current stream and returns the elements on the host. item() requires exactly one element.
  [[nodiscard]] std::vector<float> to_vector() const;
  [[nodiscard]] std::vector<double> to_doubles() const;
  [[nodiscard]] double item() const;
  // @}

  // A description: "f32[100, 784] on cpu".
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
#pragma GCC visibility pop
