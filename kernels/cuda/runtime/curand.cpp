#include "kernels/cuda/runtime/curand.h"

#include <cuda_runtime_api.h>

#include "kernels/check.h"
#include "kernels/cuda/backend.h"
#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/runtime/capture.h"
#include "kernels/cuda/runtime/dynamic_library.h"
#include "kernels/cuda/runtime/errors.h"
#include "kernels/cuda/runtime/resources.h"

namespace gpuvae::kernels {
namespace {

struct Functions {
  decltype(&curandCreateGenerator) create = nullptr;
  decltype(&curandDestroyGenerator) destroy = nullptr;
  decltype(&curandSetStream) set_stream = nullptr;
  decltype(&curandSetPseudoRandomGeneratorSeed) set_seed = nullptr;
  decltype(&curandSetGeneratorOffset) set_offset = nullptr;
  decltype(&curandGenerateNormal) normal = nullptr;
  decltype(&curandGenerateUniform) uniform = nullptr;
};

Functions load_curand() {
  const ToolkitLibrary library = {"curand",       "cuRAND",         "random numbers by cuRAND need",
                                  "libcurand.so", CURAND_VER_MAJOR, "curandCreateGenerator"};
  void* handle = open_library(library);
  Functions f;
  find_function(library, handle, "curandCreateGenerator", f.create);
  find_function(library, handle, "curandDestroyGenerator", f.destroy);
  find_function(library, handle, "curandSetStream", f.set_stream);
  find_function(library, handle, "curandSetPseudoRandomGeneratorSeed", f.set_seed);
  find_function(library, handle, "curandSetGeneratorOffset", f.set_offset);
  find_function(library, handle, "curandGenerateNormal", f.normal);
  find_function(library, handle, "curandGenerateUniform", f.uniform);
  return f;
}

const Functions& functions() {
  static const Functions loaded = load_curand();
  return loaded;
}

const char* name_of(curandStatus_t status) {
  switch (status) {
    case CURAND_STATUS_ALLOCATION_FAILED:
      return "out of memory";
    case CURAND_STATUS_LENGTH_NOT_MULTIPLE:
      return "an odd count of normal numbers";
    case CURAND_STATUS_LAUNCH_FAILURE:
      return "a kernel failed to launch";
    case CURAND_STATUS_PREEXISTING_FAILURE:
      return "an earlier kernel failed";
    case CURAND_STATUS_ARCH_MISMATCH:
      return "the GPU's architecture is not supported";
    default:
      return "failed";
  }
}

void check_curand(curandStatus_t status, const char* call) {
  if (status != CURAND_STATUS_SUCCESS)
    fail(Origin("curand", ErrorKind::cuda), "{}: {} (status {})", call, name_of(status),
         static_cast<int>(status));
}

}  // namespace

Curand::~Curand() {
  if (generator_) functions().destroy(generator_);
}

void Curand::draw(const CurandArgs& args, float* out, std::int64_t count, StreamHandle stream) {
  const std::lock_guard lock(mutex_);
  const Functions& f = functions();
  if (!generator_)
    check_curand(f.create(&generator_, CURAND_RNG_PSEUDO_PHILOX4_32_10), "curandCreateGenerator");
  check_curand(f.set_stream(generator_, static_cast<cudaStream_t>(stream)), "curandSetStream");
  check_curand(f.set_seed(generator_, args.seed), "curandSetPseudoRandomGeneratorSeed");
  check_curand(f.set_offset(generator_, 0), "curandSetGeneratorOffset");
  const auto n = static_cast<std::size_t>(count);
  if (args.normal)
    check_curand(f.normal(generator_, out, n, static_cast<float>(args.a), static_cast<float>(args.b)),
                 "curandGenerateNormal");
  else
    check_curand(f.uniform(generator_, out, n), "curandGenerateUniform");
  count_launch();
}

void CudaBackend::run(const CurandArgs& args, StreamHandle stream) {
  if (args.count == 0) return;
  const DeviceGuard on(device_);
  refuse_in_capture("curand", stream);  // each replay would draw the same numbers
  const bool aligned = reinterpret_cast<std::uintptr_t>(args.out) % 16 == 0;
  if (aligned && (!args.normal || args.count % 2 == 0)) {
    resources_->curand.draw(args, args.out, args.count, stream);
  } else {
    const std::int64_t even = args.count + args.count % 2;
    const DeviceMemory memory(allocate(static_cast<std::size_t>(even) * sizeof(float)));
    auto* numbers = static_cast<float*>(memory.get());
    resources_->curand.draw(args, numbers, even, stream);
    run(CopyArgs{args.out, numbers, static_cast<std::size_t>(args.count) * sizeof(float)}, stream);
    synchronize(stream);  // before the memory is released
  }
  if (args.normal) return;
  UnaryArgs scale{.operation = Unary::affine, .size = args.count, .a = args.b - args.a, .b = args.a};
  scale.x = scale.y = args.out;
  run(scale, stream);
}

}  // namespace gpuvae::kernels
