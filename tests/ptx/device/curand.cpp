// Emulates cuRAND's host API: Philox4x32-10, uniform and normal numbers in f32.
//
// The numbers come in groups of four, which belong to 65,536 subsequences in turn, as NVIDIA documents for
// CURAND_ORDERING_PSEUDO_LEGACY (cuRANDDx, "Use Philox Generator to Generate Random Bits"). cuRAND's default
// order may differ, so tests check distributions and reproducibility but never single numbers.
#include <curand.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <vector>

#include "detail.h"

struct curandGenerator_st {
  std::uint64_t seed = 0, offset = 0;
  cudaStream_t stream = nullptr;
  int device = 0;
  bool alive = true;
};

namespace emulator::detail {
namespace {

constexpr std::uint64_t kSubsequences = 65536;

// Written from the paper (Salmon et al., 2011), independently of the library's implementation.
std::array<std::uint32_t, 4> philox(std::uint64_t position, std::uint64_t subsequence, std::uint64_t seed) {
  std::array<std::uint32_t, 4> c = {std::uint32_t(position), std::uint32_t(position >> 32),
                                    std::uint32_t(subsequence), std::uint32_t(subsequence >> 32)};
  std::uint32_t key0 = std::uint32_t(seed), key1 = std::uint32_t(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p = std::uint64_t{0xD2511F53} * c[0], q = std::uint64_t{0xCD9E8D57} * c[2];
    c = {std::uint32_t(q >> 32) ^ c[1] ^ key0, std::uint32_t(q), std::uint32_t(p >> 32) ^ c[3] ^ key1,
         std::uint32_t(p)};
    key0 += 0x9E3779B9;
    key1 += 0xBB67AE85;
  }
  return c;
}

std::array<std::uint32_t, 4> words_of(const curandGenerator_st& g, std::uint64_t group) {
  const std::uint64_t at = g.offset / 4 + group;
  return philox(at / kSubsequences, at % kSubsequences, g.seed);
}

// Returns a number in (0, 1], computed in f32 as in cuRAND's device header.
float uniform(std::uint32_t word) { return float(word) * 0x1p-32f + 0x1p-33f; }

void normal_pair(std::uint32_t a, std::uint32_t b, float* out) {
  const double radius = std::sqrt(-2 * std::log(double(uniform(a))));
  const double angle = 6.283185307179586 * (b + 0.5) * 0x1p-32;
  out[0] = float(radius * std::sin(angle));
  out[1] = float(radius * std::cos(angle));
}

// Destroyed generators stay in memory, so that a use after destruction is detected.
curandStatus_t on_living(curandGenerator_t g) {
  if (!g) return CURAND_STATUS_NOT_INITIALIZED;
  if (!g->alive) fail("curand: the generator %p was destroyed", static_cast<void*>(g));
  return CURAND_STATUS_SUCCESS;
}

// Checks, before numbers are drawn, that the generator's device is current and that the output is device
// memory of the right size and alignment.
curandStatus_t problem(curandGenerator_t g, const float* out, std::size_t n) {
  if (const curandStatus_t wrong = on_living(g); wrong != CURAND_STATUS_SUCCESS) return wrong;
  if (g->device != current_device())
    fail("curand: a generator of device %d is used while device %d is current", g->device, current_device());
  if (n > 0 && !in_device_memory(out, n * sizeof(float)))
    fail("curand: the output %p needs %zu bytes of device memory; its allocation has %zu bytes from there",
         static_cast<const void*>(out), n * sizeof(float), bytes_from(out));
  if (reinterpret_cast<std::uintptr_t>(out) % 16 != 0)
    fail("curand: the output %p is not aligned to 16 bytes", static_cast<const void*>(out));
  return CURAND_STATUS_SUCCESS;
}

template <class Draw>  // draws four numbers from four words
curandStatus_t generate(curandGenerator_t g, float* out, std::size_t n, Draw draw) {
  const std::scoped_lock lock(device_mutex());
  if (const curandStatus_t wrong = problem(g, out, n); wrong != CURAND_STATUS_SUCCESS) return wrong;
  if (count_call() != cudaSuccess) return CURAND_STATUS_LAUNCH_FAILURE;
  if (!is_capturing(g->stream)) ++counters().kernel_launches;
  const curandGenerator_st now = *g;
  g->offset += (n + 3) / 4 * 4;
  const cudaError_t queued = enqueue(now.stream, cudaGraphNodeTypeKernel, [=] {
    flush_launches();
    ++counters().kernels_run;
    const DeviceAccess access;
    for (std::size_t i = 0; i < n; i += 4) {
      std::array<float, 4> four{};
      draw(words_of(now, i / 4), four.data());
      std::copy_n(four.begin(), std::min<std::size_t>(4, n - i), out + i);
    }
    device_memory().mark_written(out, n * sizeof(float));
  });
  return queued == cudaSuccess ? CURAND_STATUS_SUCCESS : CURAND_STATUS_LAUNCH_FAILURE;
}

}  // namespace
}  // namespace emulator::detail

using namespace emulator::detail;

extern "C" {

curandStatus_t curandCreateGenerator(curandGenerator_t* generator, curandRngType_t type) {
  if (missing_device() != cudaSuccess) return CURAND_STATUS_INITIALIZATION_FAILED;
  if (type != CURAND_RNG_PSEUDO_PHILOX4_32_10) return CURAND_STATUS_TYPE_ERROR;
  const std::scoped_lock lock(device_mutex());
  require_context();
  // The generator is kept after its destruction, so that a later use is detected.
  static auto& all = *new std::vector<curandGenerator_t>;
  all.push_back(new curandGenerator_st{.device = current_device()});
  *generator = all.back();
  return CURAND_STATUS_SUCCESS;
}
curandStatus_t curandDestroyGenerator(curandGenerator_t generator) {
  if (const curandStatus_t wrong = on_living(generator); wrong != CURAND_STATUS_SUCCESS) return wrong;
  generator->alive = false;
  return CURAND_STATUS_SUCCESS;
}
curandStatus_t curandSetStream(curandGenerator_t generator, cudaStream_t stream) {
  if (const curandStatus_t wrong = on_living(generator); wrong != CURAND_STATUS_SUCCESS) return wrong;
  generator->stream = stream;
  return CURAND_STATUS_SUCCESS;
}
curandStatus_t curandSetPseudoRandomGeneratorSeed(curandGenerator_t generator, unsigned long long seed) {
  if (const curandStatus_t wrong = on_living(generator); wrong != CURAND_STATUS_SUCCESS) return wrong;
  generator->seed = seed;
  generator->offset = 0;
  return CURAND_STATUS_SUCCESS;
}
curandStatus_t curandSetGeneratorOffset(curandGenerator_t generator, unsigned long long offset) {
  if (const curandStatus_t wrong = on_living(generator); wrong != CURAND_STATUS_SUCCESS) return wrong;
  generator->offset = offset;
  return CURAND_STATUS_SUCCESS;
}
curandStatus_t curandGenerateUniform(curandGenerator_t generator, float* out, std::size_t n) {
  return generate(generator, out, n, [](const std::array<std::uint32_t, 4>& words, float* four) {
    for (int i = 0; i < 4; ++i) four[i] = uniform(words[std::size_t(i)]);
  });
}
curandStatus_t curandGenerateNormal(curandGenerator_t generator, float* out, std::size_t n, float mean,
                                    float stddev) {
  if (n % 2 != 0) return CURAND_STATUS_LENGTH_NOT_MULTIPLE;
  return generate(generator, out, n, [=](const std::array<std::uint32_t, 4>& words, float* four) {
    normal_pair(words[0], words[1], four);
    normal_pair(words[2], words[3], four + 2);
    for (int i = 0; i < 4; ++i) four[i] = mean + stddev * four[i];
  });
}

}  // extern "C"
