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

class Tensor {
 public:
  Tensor() = default;  // undefined: no storage

  // Elements have no value yet.
  [[nodiscard]] static Tensor empty(Shape shape, DType dtype = DType::f32, Device device = Device::cpu());
  [[nodiscard]] static Tensor full(Shape shape, double value, DType dtype = DType::f32,
                                   Device device = Device::cpu());
  [[nodiscard]] static Tensor zeros(Shape shape, DType dtype = DType::f32, Device device = Device::cpu());
  // Copies `values` (as many as the shape has elements) to the device.
  [[nodiscard]] static Tensor from(std::span<const float> values, Shape shape, Device device = Device::cpu());
  [[nodiscard]] static Tensor from(std::span<const double> values, Shape shape);
  [[nodiscard]] static Tensor from(std::span<const std::uint8_t> values, Shape shape,
                                   Device device = Device::cpu());
  [[nodiscard]] static Tensor from(std::span<const std::int32_t> values, Shape shape,
                                   Device device = Device::cpu());
  // Wraps foreign memory of `device`, aligned for the dtype. `owner` is kept until the last tensor that
  // shares the memory is gone, and until a CUDA graph that uses it is gone; without an owner the caller keeps
  // the memory that long. A deleter is an owner: std::shared_ptr<void>(pointer, deleter). It runs in any
  // thread and must not throw. On CUDA it runs when the work that uses the memory has been queued, not when
  // that is done: free in the order of the stream (cudaFreeAsync), or wait for it.
  [[nodiscard]] static Tensor view(void* pointer, Shape shape, DType dtype, Device device,
                                   std::shared_ptr<void> owner = {});

  explicit operator bool() const { return storage_ != nullptr; }
  [[nodiscard]] const Shape& shape() const { return shape_; }
  [[nodiscard]] DType dtype() const { return dtype_; }
  [[nodiscard]] Device device() const { return device_; }
  [[nodiscard]] std::int64_t elements() const { return shape_.elements(); }
  [[nodiscard]] std::size_t bytes() const { return static_cast<std::size_t>(elements()) * size_of(dtype_); }
  [[nodiscard]] void* data() const;  // of the device
  // On the CPU, or for launching kernels of one's own; throws if T is not the dtype.
  template <class T>
  [[nodiscard]] T* data_as() const;

  // These share the elements. A slice is one of the first axis.
  [[nodiscard]] Tensor reshape(Shape shape) const;
  [[nodiscard]] Tensor slice(std::int64_t first, std::int64_t count) const;
  [[nodiscard]] bool shares_storage_with(const Tensor& o) const { return storage_ == o.storage_; }
  [[nodiscard]] bool is_sole_owner() const;  // no other handle on the storage: it may be overwritten

  [[nodiscard]] Tensor clone() const;
  // The tensor itself if it is there already, or has that type. Waits for the copy from a GPU.
  [[nodiscard]] Tensor to(Device device) const;
  [[nodiscard]] Tensor to(DType dtype) const;
  void copy_from(const Tensor& source) const;  // same shape and dtype, any device
  void fill(double value) const;

  // How often the elements were changed in place: by fill, copy_from, an optimiser's step, or as the program
  // reports. All tensors that share elements share the count; 0 for an undefined tensor. backward() throws
  // Error if an operation kept a tensor for it whose version is no longer that of the recording. Work that a
  // captured graph repeats is counted once, when it is captured.
  [[nodiscard]] std::uint64_t version() const;
  // For programs that write to the elements through data(), or with kernels of their own. Any thread.
  void increment_version() const;

  // Host copies; wait for the tensor's stream. item() wants exactly one element.
  [[nodiscard]] std::vector<float> to_vector() const;
  [[nodiscard]] std::vector<double> to_doubles() const;
  [[nodiscard]] double item() const;

  [[nodiscard]] std::string text() const;  // "f32[100, 784] on cpu"

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
