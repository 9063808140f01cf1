// gpuvae inside a CUDA program. On the program's own stream, a kernel of the program generates a batch, and
// gpuvae trains a linear layer on it. The whole step is captured as one CUDA graph, which is launched many
// times.
//
// Prints:
//   steps   401
//   weights 2.00 -1.00 0.50
//
// Exit status: 0, 1 if an error occurred, 77 if there is no CUDA device.
#include <gpuvae/cuda.h>
#include <gpuvae/gpuvae.h>

#include <cstdio>
#include <vector>

namespace {

using namespace gpuvae;

constexpr int kRows = 64, kIn = 3;

// Generates a batch: y = 2 x0 - x1 + 0.5 x2 + 0.25, where x is a hash of the row and the step number. The
// step number is in device memory, so that each launch of the graph generates other rows. Launch one block
// with one thread per row.
__global__ void make_batch(float* x, float* y, unsigned* step) {
  const unsigned row = threadIdx.x, now = *step;
  __syncthreads();
  if (row == 0) *step = now + 1;
  unsigned hash = (now * kRows + row) * 2654435761u;
  float sum = 0.25f;
  for (int i = 0; i < kIn; ++i) {
    hash = hash * 1664525u + 1013904223u;
    const float value = static_cast<float>(hash >> 8) / 16777216.0f - 0.5f;
    x[row * kIn + i] = value;
    sum += value * (i == 0 ? 2.0f : i == 1 ? -1.0f : 0.5f);
  }
  y[row] = sum;
}

void check_cuda(const char* call, cudaError_t error) {
  if (error != cudaSuccess) throw Error(call, cudaGetErrorString(error), ErrorKind::cuda);
}

// Returns a tensor of zeros in memory that the program allocates. It is freed when the last tensor that uses
// it is destroyed.
Tensor allocated(Shape shape, cudaStream_t stream) {
  void* memory = nullptr;
  const std::size_t bytes = static_cast<std::size_t>(shape.elements()) * sizeof(float);
  check_cuda("cudaMalloc", cudaMalloc(&memory, bytes));
  check_cuda("cudaMemsetAsync", cudaMemsetAsync(memory, 0, bytes, stream));
  const std::shared_ptr<void> owner(memory, [stream](void* pointer) {
    cudaStreamSynchronize(stream);
    cudaFree(pointer);
  });
  return Tensor::view(memory, shape, DType::f32, Device::cuda(), owner);
}

void run(cudaStream_t mine) {
  const Stream stream = wrap_stream(mine);
  const StreamGuard on(stream);  // gpuvae works on the program's stream from here on
  const Tensor x = allocated({kRows, kIn}, mine), y = allocated({kRows, 1}, mine),
               count = allocated({1}, mine);
  const Linear layer("layer", kIn, 1, Activation::identity, {}, stream.device());
  std::vector<Parameter> parameters;
  layer.collect(parameters);
  Adam adam(parameters, {.learning_rate = 0.05});
  const auto step = [&] {
    make_batch<<<1, kRows, 0, mine>>>(x.data_as<float>(), y.data_as<float>(),
                                      static_cast<unsigned*>(count.data()));
    check_cuda("make_batch", cudaGetLastError());
    adam.zero_grad();
    mean(square(layer(x) - Variable(y))).backward();
    adam.step();
  };
  step();  // selects the algorithms of the matrix products, which a capture cannot do
  const CudaGraph graph = CudaGraph::capture(stream, step, 50);
  for (int i = 0; i < 8; ++i) graph.launch();  // 50 steps each; the host does not wait
  std::printf("steps   %llu\n", static_cast<unsigned long long>(adam.steps()));
  std::printf("weights");
  for (const float w : layer.weight.value().to_vector()) std::printf(" %.2f", static_cast<double>(w));
  std::printf("\n");
}

}  // namespace

int main() {
  try {
    const Device device = Device::cuda();
    cudaStream_t stream = nullptr;
    check_cuda("cudaStreamCreate", cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    run(stream);
    check_cuda("cudaStreamDestroy", cudaStreamDestroy(stream));
    std::fprintf(stderr, "on %s\n", device.description().c_str());
  } catch (const Error& error) {
    std::printf("%s\n", error.what());
    return error.kind() == ErrorKind::unsupported ? 77 : 1;
  }
  return 0;
}
