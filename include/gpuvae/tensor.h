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
  static Tensor empty(Shape shape, DType dtype = DType::f32, Device device = Device::cpu());
  static Tensor full(Shape shape, double value, DType dtype = DType::f32, Device device = Device::cpu());
  static Tensor zeros(Shape shape, DType dtype = DType::f32, Device device = Device::cpu());
  // Copies `values` (as many as the shape has elements) to the device.
  static Tensor from(std::span<const float> values, Shape shape, Device device = Device::cpu());
  static Tensor from(std::span<const double> values, Shape shape);
  static Tensor from(std::span<const std::uint8_t> values, Shape shape, Device device = Device::cpu());
  static Tensor from(std::span<const std::int32_t> values, Shape shape, Device device = Device::cpu());
  // Wraps foreign memory of `device` without owning it; it must outlive the tensor and all its views.
  static Tensor view(void* pointer, Shape shape, DType dtype, Device device);

  explicit operator bool() const { return storage_ != nullptr; }
  const Shape& shape() const { return shape_; }
  DType dtype() const { return dtype_; }
  Device device() const { return device_; }
  std::int64_t elements() const { return shape_.elements(); }
  std::size_t bytes() const { return static_cast<std::size_t>(elements()) * size_of(dtype_); }
  void* data() const;  // of the device
  // On the CPU, or for launching kernels of one's own; throws if T is not the dtype.
  template <class T>
  T* data_as() const;

  Tensor reshape(Shape shape) const;                           // shares the elements
  Tensor slice(std::int64_t first, std::int64_t count) const;  // of the first axis; shares the elements
  bool shares_storage_with(const Tensor& o) const { return storage_ == o.storage_; }
  bool is_sole_owner() const;  // no other handle on the storage: it may be overwritten

  Tensor clone() const;
  Tensor to(Device device) const;              // itself if it is there already; waits for the copy from a GPU
  Tensor to(DType dtype) const;                // itself if it has that type
  void copy_from(const Tensor& source) const;  // same shape and dtype, any device
  void fill(double value) const;

  // Host copies; wait for the tensor's stream. item() wants exactly one element.
  std::vector<float> to_vector() const;
  std::vector<double> to_doubles() const;
  double item() const;

  std::string text() const;  // "f32[100, 784] on cpu"

 private:
  Tensor(std::shared_ptr<Storage> storage, std::size_t offset, Shape shape, DType dtype, Device device);
  static Tensor from_bytes(const void* values, std::size_t count, Shape shape, DType dtype, Device device);

  std::shared_ptr<Storage> storage_;
  std::size_t offset_ = 0;  // bytes
  Shape shape_;
  DType dtype_ = DType::f32;
  Device device_ = Device::cpu();
};

}  // namespace gpuvae
