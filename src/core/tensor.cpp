#include "gpuvae/tensor.h"

#include <cstring>

#include "kernels/backend.h"
#include "kernels/check.h"
#include "kernels/enumerators.h"
#include "src/core/memory.h"

namespace gpuvae {
namespace {

template <class T>
constexpr DType dtype_of() {
  if constexpr (std::is_same_v<T, float>) return DType::f32;
  if constexpr (std::is_same_v<T, double>) return DType::f64;
  if constexpr (std::is_same_v<T, std::uint8_t>) return DType::u8;
  if constexpr (std::is_same_v<T, std::int32_t>) return DType::i32;
}

void* stream_on(Device device) { return Stream::current(device).handle(); }

void require_defined(const char* call, const Tensor& tensor) {
  check(static_cast<bool>(tensor), call, "expected a tensor with elements, got an undefined one");
}

}  // namespace

Tensor::Tensor(std::shared_ptr<Storage> storage, std::size_t offset, Shape shape, DType dtype, Device device)
    : storage_(std::move(storage)), offset_(offset), shape_(shape), dtype_(dtype), device_(device) {}

Tensor Tensor::empty(Shape shape, DType dtype, Device device) {
  check_enumerator("tensor", "dtype", dtype);
  std::size_t bytes = 0;
  check(!__builtin_mul_overflow(static_cast<std::size_t>(shape.elements()), size_of(dtype), &bytes), "tensor",
        "expected fewer than 2^64 bytes, got {} of {}", shape, name(dtype));
  return {allocate_storage(bytes, device), 0, shape, dtype, device};
}

Tensor Tensor::full(Shape shape, double value, DType dtype, Device device) {
  Tensor t = empty(shape, dtype, device);
  t.fill(value);
  return t;
}
Tensor Tensor::zeros(Shape shape, DType dtype, Device device) { return full(shape, 0, dtype, device); }

Tensor Tensor::from_bytes(const void* values, std::size_t count, Shape shape, DType dtype, Device device) {
  check(count == static_cast<std::size_t>(shape.elements()), "tensor", "expected {} values for {}, got {}",
        shape.elements(), shape, count);
  refuse_in_capture("from", device);
  Tensor t = empty(shape, dtype, device);
  device.backend().copy_to_device(t.data(), values, t.bytes(), stream_on(device));
  return t;
}
Tensor Tensor::from(std::span<const float> v, Shape shape, Device device) {
  return from_bytes(v.data(), v.size(), shape, DType::f32, device);
}
Tensor Tensor::from(std::span<const double> v, Shape shape) {
  return from_bytes(v.data(), v.size(), shape, DType::f64, Device::cpu());
}
Tensor Tensor::from(std::span<const std::uint8_t> v, Shape shape, Device device) {
  return from_bytes(v.data(), v.size(), shape, DType::u8, device);
}
Tensor Tensor::from(std::span<const std::int32_t> v, Shape shape, Device device) {
  return from_bytes(v.data(), v.size(), shape, DType::i32, device);
}

Tensor Tensor::view(void* pointer, Shape shape, DType dtype, Device device, std::shared_ptr<void> owner) {
  check_enumerator("view", "dtype", dtype);
  check(pointer != nullptr || shape.elements() == 0, "view", "expected memory for {}, got a null pointer",
        shape);
  check(reinterpret_cast<std::uintptr_t>(pointer) % size_of(dtype) == 0, "view",
        "expected a pointer aligned for {}, got {}", name(dtype), pointer);
  std::size_t bytes = 0;
  check(!__builtin_mul_overflow(static_cast<std::size_t>(shape.elements()), size_of(dtype), &bytes), "view",
        "expected fewer than 2^64 bytes, got {} of {}", shape, name(dtype));
  auto storage = std::make_shared<Storage>(pointer, bytes, Stream::current(device));
  storage->owner = std::move(owner);
  return {std::move(storage), 0, shape, dtype, device};
}

void* Tensor::data() const {
  require_defined("tensor", *this);
  return static_cast<std::byte*>(storage_->pointer) + offset_;
}

template <class T>
T* Tensor::data_as() const {
  check(dtype_ == dtype_of<T>(), "tensor", "expected {}, got {}", name(dtype_of<T>()), *this);
  return static_cast<T*>(data());
}
template float* Tensor::data_as<float>() const;
template double* Tensor::data_as<double>() const;
template std::uint8_t* Tensor::data_as<std::uint8_t>() const;
template std::int32_t* Tensor::data_as<std::int32_t>() const;

Tensor Tensor::reshape(Shape shape) const {
  require_defined("reshape", *this);
  check(shape.elements() == elements(), "reshape", "expected {} elements, got {} for {}", elements(), shape,
        *this);
  return {storage_, offset_, shape, dtype_, device_};
}

Tensor Tensor::slice(std::int64_t first, std::int64_t count) const {
  require_defined("slice", *this);
  check(shape_.rank() > 0, "slice", "expected a tensor of rank 1 or more, got {}", *this);
  check(first >= 0 && count >= 0 && first <= shape_[0] - count, "slice",
        "expected rows within {}, got {} rows from row {}", *this, count, first);
  std::array<std::int64_t, Shape::kMaxRank> extents{};
  for (int i = 0; i < shape_.rank(); ++i) extents[i] = i == 0 ? count : shape_[i];
  const std::int64_t row = shape_[0] == 0 ? 0 : elements() / shape_[0];
  return {storage_, offset_ + static_cast<std::size_t>(first * row) * size_of(dtype_),
          Shape(std::span<const std::int64_t>(extents.data(), shape_.rank())), dtype_, device_};
}

bool Tensor::is_sole_owner() const { return storage_.use_count() == 1 && storage_->allocator != nullptr; }

Tensor Tensor::clone() const {
  require_defined("clone", *this);
  Tensor copy = empty(shape_, dtype_, device_);
  copy.copy_from(*this);
  return copy;
}

Tensor Tensor::to(Device device) const {
  require_defined("to", *this);
  if (device == device_) return *this;
  refuse_in_capture("to", device_.is_cpu() ? device : device_);
  Tensor copy = empty(shape_, dtype_, device);
  copy.copy_from(*this);
  return copy;
}

Tensor Tensor::to(DType dtype) const {
  require_defined("to", *this);
  if (dtype == dtype_) return *this;
  Tensor copy = empty(shape_, dtype, device_);
  device_.backend().cast({dtype_, dtype, elements(), data(), copy.data()}, stream_on(device_));
  return copy;
}

void Tensor::copy_from(const Tensor& source) const {
  require_defined("copy", *this);
  require_defined("copy", source);
  check(source.shape() == shape_ && source.dtype() == dtype_, "copy", "expected {}, got {}", *this, source);
  increment_version();
  if (bytes() == 0) return;
  const Device from = source.device();
  if (from == device_) {
    device_.backend().copy({data(), source.data(), bytes()}, stream_on(device_));
  } else if (from.is_cpu()) {
    refuse_in_capture("copy_from", device_);
    device_.backend().copy_to_device(data(), source.data(), bytes(), stream_on(device_));
  } else {
    check(device_.is_cpu(), unsupported("copy"), "copies between two GPUs are not supported: {} to {}",
          source, *this);
    refuse_in_capture("copy_from", from);
    from.backend().copy_from_device(data(), source.data(), bytes(), stream_on(from));
  }
}

void Tensor::fill(double value) const {
  require_defined("fill", *this);
  increment_version();
  device_.backend().fill({dtype_, elements(), value, data()}, stream_on(device_));
}

std::uint64_t Tensor::version() const {
  return storage_ ? storage_->version.load(std::memory_order_relaxed) : 0;
}

void Tensor::increment_version() const {
  if (storage_) storage_->version.fetch_add(1, std::memory_order_relaxed);
}

std::vector<float> Tensor::to_vector() const {
  refuse_in_capture("to_vector", device_);
  const Tensor host = to(DType::f32).to(Device::cpu());
  const float* first = host.data_as<float>();
  return {first, first + host.elements()};
}

std::vector<double> Tensor::to_doubles() const {
  refuse_in_capture("to_doubles", device_);
  const Tensor host = to(Device::cpu()).to(DType::f64);
  const double* first = host.data_as<double>();
  return {first, first + host.elements()};
}

double Tensor::item() const {
  check(elements() == 1, "item", "expected one element, got {}", *this);
  refuse_in_capture("item", device_);
  return to_doubles()[0];
}

std::string Tensor::text() const {
  if (!storage_) return "an undefined tensor";
  return fmt::format("{}{} on {}", name(dtype_), shape_.text(), device_.text());
}

}  // namespace gpuvae
