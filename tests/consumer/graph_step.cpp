// Captures a custom training step as a CUDA graph, on a stream that the caller created. This file is compiled
// but never run.
#include <gpuvae/cuda.h>
#include <gpuvae/gpuvae.h>

using namespace gpuvae;

void train(const Tensor& images, const Linear& layer, Optimizer& optimizer, cudaStream_t mine) {
  const Stream stream = wrap_stream(mine);
  const StreamGuard on(stream);
  const auto step = [&] {
    const Clock clock = optimizer.clock(600);
    const Batch batch = gather_batch(images, 100, clock, {});
    optimizer.zero_grad();
    sum(square(layer(batch.x) - batch.x)).backward();
    optimizer.step();
  };
  step();
  const CudaGraph graph = CudaGraph::capture(stream, step, 50);
  for (int i = 0; i < 12; ++i) graph.launch();
}
