#include "src/python/arrays.h"

#include <array>
#include <cstdint>
#include <span>
#include <utility>

#include "kernels/check.h"

namespace gpuvae::python {

namespace nb = nanobind;

namespace {

struct NamedType {
  DType dtype;
  nb::dlpack::dtype dlpack;
  const char* name;
};
constexpr std::array<NamedType, 4> kTypes = {{{DType::f32, nb::dtype<float>(), "float32"},
                                              {DType::f64, nb::dtype<double>(), "float64"},
                                              {DType::u8, nb::dtype<std::uint8_t>(), "uint8"},
                                              {DType::i32, nb::dtype<std::int32_t>(), "int32"}}};

const NamedType& named(DType dtype) {
  for (const NamedType& type : kTypes)
    if (type.dtype == dtype) return type;
  fail("python", "expected float32, float64, uint8 or int32, got {}", name(dtype));
}

bool is_contiguous(const InputArray& a) {
  std::int64_t expected = 1;
  for (std::size_t i = a.ndim(); i-- > 0;) {
    if (a.shape(i) > 1 && a.stride(i) != expected) return false;
    expected *= static_cast<std::int64_t>(a.shape(i));
  }
  return true;
}

}  // namespace

std::optional<DType> dtype_of(nb::dlpack::dtype type) {
  for (const NamedType& known : kTypes)
    if (known.dlpack == type) return known.dtype;
  return std::nullopt;
}

nb::dlpack::dtype dlpack_type(DType dtype) { return named(dtype).dlpack; }

const char* numpy_name(DType dtype) { return named(dtype).name; }

Tensor view_of(const InputArray& array, Device device, const char* operation, std::shared_ptr<void> owner) {
  check(array.ndim() >= 1 && array.ndim() <= Shape::kMaxRank, operation,
        "expected an array with 1 to {} dimensions, got {}", Shape::kMaxRank, array.ndim());
  const std::optional<DType> dtype = dtype_of(array.dtype());
  check(dtype.has_value(), operation,
        "expected float32, float64, uint8 or int32, got another type (DLPack's code {} with {} bits)",
        static_cast<int>(array.dtype().code), static_cast<int>(array.dtype().bits));
  check(is_contiguous(array), operation,
        "expected a contiguous array in C order, got other strides: make it contiguous first");
  std::vector<std::int64_t> shape;
  for (std::size_t i = 0; i < array.ndim(); ++i) shape.push_back(static_cast<std::int64_t>(array.shape(i)));
  return Tensor::view(const_cast<void*>(static_cast<const void*>(array.data())),
                      Shape(std::span<const std::int64_t>(shape)), *dtype, device, std::move(owner));
}

Tensor host_view(const InputArray& array, const char* operation) {
  check(array.device_type() == nb::device::cpu::value, operation,
        "expected an array in host memory, got one on another device");
  return view_of(array, Device::cpu(), operation);
}

std::vector<std::size_t> extents_of(const Shape& shape) {
  std::vector<std::size_t> extents;
  for (int i = 0; i < shape.rank(); ++i) extents.push_back(static_cast<std::size_t>(shape[i]));
  return extents;
}

OutputArray to_array(const Tensor& tensor) {
  auto* host = new Tensor(tensor.to(Device::cpu()));
  const nb::capsule owner = owner_of(host);
  const std::vector<std::size_t> shape = extents_of(host->shape());
  return OutputArray(host->data(), shape.size(), shape.data(), owner, nullptr, dlpack_type(host->dtype()));
}

}  // namespace gpuvae::python
