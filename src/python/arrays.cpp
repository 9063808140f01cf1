#include "src/python/arrays.h"

#include <cstring>

#include "kernels/check.h"

namespace gpuvae::python {

namespace nb = nanobind;

namespace {

bool is_contiguous(const InputArray& a) {
  std::int64_t expected = 1;
  for (std::size_t i = a.ndim(); i-- > 0;) {
    if (a.shape(i) > 1 && a.stride(i) != expected) return false;
    expected *= static_cast<std::int64_t>(a.shape(i));
  }
  return true;
}

}  // namespace

Tensor matrix_view(const InputArray& array, std::int64_t columns, const char* operation) {
  check(array.device_type() == nb::device::cpu::value, operation,
        "expected an array in host memory, got one on another device");
  check(array.ndim() == 2, operation, "expected an array [rows, columns], got one with {} dimensions",
        array.ndim());
  check(static_cast<std::int64_t>(array.shape(1)) == columns, operation, "expected {} columns, got {}",
        columns, array.shape(1));
  const bool bytes = array.dtype() == nb::dtype<std::uint8_t>();
  check(bytes || array.dtype() == nb::dtype<float>(), operation,
        "expected float32 or uint8, got another type");
  check(is_contiguous(array), operation, "expected a contiguous array in C order, got other strides");
  const Shape shape{static_cast<std::int64_t>(array.shape(0)), columns};
  return Tensor::view(const_cast<void*>(array.data()), shape, bytes ? DType::u8 : DType::f32, Device::cpu());
}

OutputArray to_array(const Tensor& tensor) {
  auto* values = new std::vector<float>(tensor.to_vector());
  const nb::capsule owner(values, [](void* p) noexcept { delete static_cast<std::vector<float>*>(p); });
  std::vector<std::size_t> shape;
  for (int i = 0; i < tensor.shape().rank(); ++i)
    shape.push_back(static_cast<std::size_t>(tensor.shape()[i]));
  return OutputArray(values->data(), shape.size(), shape.data(), owner);
}

}  // namespace gpuvae::python
