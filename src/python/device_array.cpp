#include "src/python/device_array.h"

#include <nanobind/stl/string.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "gpuvae/autograd.h"
#include "gpuvae/ops.h"
#include "kernels/check.h"
#include "src/python/arrays.h"
#include "src/python/interpreter.h"

namespace gpuvae::python {

namespace nb = nanobind;
using namespace nb::literals;

namespace {

constexpr int kCuda = nb::device::cuda::value;

// The stream as __dlpack__ takes it: 1 stands for the legacy default stream, whose handle is null.
nb::object stream_argument(const Stream& stream) {
  return stream.handle() == nullptr ? nb::int_(1)
                                    : nb::int_(reinterpret_cast<std::uintptr_t>(stream.handle()));
}

// The standard does not permit 0, which could mean two default streams.
void check_stream(const nb::object& stream) {
  if (stream.is_none()) return;
  std::int64_t number = 0;
  if (!nb::try_cast(stream, number)) throw nb::type_error("[__dlpack__] expected None or a number as stream");
  check(number == -1 || number >= 1, "__dlpack__",
        "expected None, -1, 1, 2 or a cudaStream_t as stream, got {}", number);
}

// Python code may run when the array is released, which needs the GIL and must not see a pending exception.
std::shared_ptr<void> keep_alive(const InputArray& array) {
  return {new InputArray(array), [](void* kept) {
            const nb::gil_scoped_acquire acquired;
            const nb::error_scope pending;
            delete static_cast<InputArray*>(kept);
          }};
}

}  // namespace

DeviceArray DeviceArray::from_dlpack(const nb::object& array, int index) {
  constexpr const char* kOperation = "from_dlpack";
  const Device device = Device::cuda(index);
  const Stream stream = Stream::current(device);
  const nb::object capsule = array.attr("__dlpack__")("stream"_a = stream_argument(stream));
  InputArray imported;
  check(nb::isinstance<nb::capsule>(capsule) && nb::try_cast(capsule, imported), kOperation,
        "expected a new DLPack capsule, got one that was consumed before, or another object");
  check(imported.device_type() == kCuda && imported.device_id() == index, kOperation,
        "expected memory of {}, as __dlpack_device__ says, got memory of device {} of DLPack's kind {}",
        device, imported.device_id(), imported.device_type());
  return {view_of(imported, device, kOperation, keep_alive(imported)), stream.record()};
}

const Tensor& DeviceArray::elements() const {
  if (ready_) Stream::current(tensor_.device()).wait(*ready_);
  return tensor_;
}

DeviceArray DeviceArray::upload(const nb::object& array, const std::string& device) {
  InputArray host;
  check(nb::try_cast(array, host), "upload", "expected an array in host memory, got another object");
  const Tensor source = host_view(host, "upload");
  const LibraryCall call;
  const Device target = Device::parse(device);
  const Tensor copy = source.to(target);
  Stream::current(target).synchronize();
  return DeviceArray(copy);
}

nb::object DeviceArray::to_dlpack(const nb::object& stream, const nb::object& dl_device,
                                  const nb::object& copy) const {
  check_stream(stream);
  if (!dl_device.is_none() && !dl_device.equal(dlpack_device()))
    throw nb::buffer_error(
        "[__dlpack__] expected the device of the array as dl_device: numpy() copies to the host");
  if (ready_) ready_->synchronize();
  auto* shared = new Tensor(tensor_);
  const nb::capsule owner = owner_of(shared);
  if (!copy.is_none() && nb::cast<bool>(copy)) {
    *shared = tensor_.clone();
    Stream::current(tensor_.device()).synchronize();
  }
  const std::vector<std::size_t> shape = extents_of(shared->shape());
  const nb::ndarray<> array(shared->data(), shape.size(), shape.data(), owner, nullptr,
                            dlpack_type(shared->dtype()), kCuda, shared->device().index());
  return nb::cast(array);
}

nb::tuple DeviceArray::dlpack_device() const { return nb::make_tuple(kCuda, tensor_.device().index()); }

bool DeviceArray::within(double low, double high) const {
  constexpr std::int64_t kBlock = 4096;  // rows; limits the memory of the intermediate results
  const LibraryCall call;
  const NoGradGuard no_grad;
  const std::int64_t rows = tensor_.shape()[0];
  Variable excess;
  for (std::int64_t first = 0; first < rows; first += kBlock) {
    const Variable x = elements().slice(first, std::min(kBlock, rows - first));
    // NaN and infinity give NaN and infinity.
    const Variable part = sum(abs(x - clamp(x, low, high)));
    excess = excess ? excess + part : part;
  }
  return !excess || excess.value().item() == 0;
}

Tensor rows_of(const nb::object& array, std::int64_t columns, const char* operation) {
  Tensor rows;
  if (nb::isinstance<DeviceArray>(array)) {
    rows = nb::cast<const DeviceArray&>(array).elements();
  } else {
    InputArray host;
    check(nb::try_cast(array, host), operation, "expected an array, got {}",
          nb::repr(nb::handle(array.type())).c_str());
    rows = host_view(host, operation);
  }
  check(rows.shape().rank() == 2, operation, "expected an array [rows, columns], got one with {} dimensions",
        rows.shape().rank());
  check(rows.shape()[1] == columns, operation, "expected {} columns, got {}", columns, rows.shape()[1]);
  check(rows.dtype() == DType::f32 || rows.dtype() == DType::u8, operation,
        "expected float32 or uint8, got {}", numpy_name(rows.dtype()));
  return rows;
}

nb::object to_python(const Tensor& tensor) {
  return tensor.device().is_cpu() ? nb::cast(to_array(tensor)) : nb::cast(DeviceArray(tensor));
}

namespace {

// Copies the elements to the host.
OutputArray to_host(const DeviceArray& array) { return to_array(array.elements()); }

nb::tuple shape_of(const DeviceArray& array) {
  nb::list extents;
  for (const std::size_t extent : extents_of(array.tensor().shape())) extents.append(extent);
  return nb::tuple(extents);
}

// NumPy calls __array__ with copy=False if it must not copy.
nb::object array_of(const DeviceArray& array, const nb::object& dtype, const nb::object& copy) {
  if (!copy.is_none() && !nb::cast<bool>(copy))
    throw nb::value_error("[numpy] expected that a copy is allowed: the array is in the memory of a GPU");
  const nb::object host = nb::cast(to_host(array));
  return dtype.is_none() ? host : host.attr("astype")(dtype);
}

// Sets the current stream of the thread that creates it, until close().
class StreamScope {
 public:
  StreamScope(const std::string& device, std::uintptr_t handle) {
    const Device parsed = Device::parse(device);
    check(!parsed.is_cpu(), "use_stream", "expected a CUDA device, got {}", device);
    guard_.emplace(Stream::wrap(parsed, reinterpret_cast<void*>(handle)));
  }
  void close() { guard_.reset(); }

 private:
  std::optional<StreamGuard> guard_;
};

}  // namespace

void define_device_array(nb::module_& module) {
  nb::class_<DeviceArray>(module, "DeviceArray",
                          "An array in the memory of a GPU, which other libraries take without a copy "
                          "through DLPack, for example as "
                          "torch.from_dlpack(array). Its elements are complete. A library that uses it on a "
                          "separate stream must keep "
                          "it until that work is complete.")
      .def_static("from_dlpack", &DeviceArray::from_dlpack, "array"_a, "index"_a,
                  "Wraps the memory of an array on the CUDA device `index`.")
      .def_static("upload", &DeviceArray::upload, "array"_a, "device"_a,
                  "Copies an array in host memory to a device such as \"cuda:0\".")
      .def("numpy", &to_host, "Returns a copy in host memory.")
      .def("within", &DeviceArray::within, "low"_a, "high"_a,
           "Whether all elements of a float32 array are in [low, high].")
      .def_prop_ro("shape", &shape_of, nb::sig("def shape(self) -> tuple[int, ...]"), "The extents.")
      .def_prop_ro(
          "dtype", [](const DeviceArray& a) { return numpy_name(a.tensor().dtype()); },
          "The type of the elements, such as \"float32\".")
      .def_prop_ro(
          "device", [](const DeviceArray& a) { return a.tensor().device().text(); }, "Such as \"cuda:0\".")
      .def("__len__", [](const DeviceArray& a) { return a.tensor().shape()[0]; })
      .def("__array__", &array_of, "dtype"_a = nb::none(), nb::kw_only(), "copy"_a = nb::none(),
           "Returns a copy in host memory.")
      .def(
          "__dlpack__",
          [](const DeviceArray& a, const nb::object& stream, const nb::object&, const nb::object& dl_device,
             const nb::object& copy) { return a.to_dlpack(stream, dl_device, copy); },
          nb::kw_only(), "stream"_a = nb::none(), "max_version"_a = nb::none(), "dl_device"_a = nb::none(),
          "copy"_a = nb::none(), "Returns a DLPack capsule that shares the memory.")
      .def("__dlpack_device__", &DeviceArray::dlpack_device,
           nb::sig("def __dlpack_device__(self) -> tuple[int, int]"),
           "The kind of the device in DLPack, and its index.")
      .def("__repr__", [](const DeviceArray& a) { return "DeviceArray(" + a.tensor().text() + ")"; });
  nb::class_<StreamScope>(module, "StreamScope", "Sets the current stream of a thread until close().")
      .def(nb::init<const std::string&, std::uintptr_t>(), "device"_a, "stream"_a)
      .def("close", &StreamScope::close, "Restores the stream before.");
}

}  // namespace gpuvae::python
