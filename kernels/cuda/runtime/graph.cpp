// CUDA graphs: the work of a stream is captured once and launched many times as a unit.
#include <cuda_runtime_api.h>

#include <memory>

#include "kernels/check.h"
#include "kernels/cuda/backend.h"
#include "kernels/cuda/runtime/capture.h"
#include "kernels/cuda/runtime/errors.h"

namespace gpuvae::kernels {
namespace {

struct Recorded {
  cudaGraphExec_t executable = nullptr;
  std::size_t nodes = 0;

  ~Recorded() {
    if (executable) cudaGraphExecDestroy(executable);
  }
};

struct GraphDestroy {
  void operator()(cudaGraph_t graph) const noexcept { cudaGraphDestroy(graph); }
};

}  // namespace

bool is_capturing(cudaStream_t stream) {
  cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
  check_cuda(cudaStreamIsCapturing(stream, &status), "graph", "cudaStreamIsCapturing");
  return status != cudaStreamCaptureStatusNone;
}

void refuse_in_capture(const char* call, StreamHandle stream) {
  check(!is_capturing(cuda(stream)), call, "expected a stream that is not being captured, got one that is");
}

void CudaBackend::begin_capture(StreamHandle stream) {
  const DeviceGuard on(device_);
  check(stream != nullptr, "graph",
        "expected a stream other than the default one, got the device's default stream");
  check(!is_capturing(cuda(stream)), "graph",
        "expected a stream that is not being captured, got one that is");
  // The relaxed mode allows tensors and workspaces to be allocated during the capture. Their memory is not
  // part of the graph.
  check_cuda(cudaStreamBeginCapture(cuda(stream), cudaStreamCaptureModeRelaxed), "graph",
             "cudaStreamBeginCapture");
}

GraphHandle CudaBackend::end_capture(StreamHandle stream) {
  const DeviceGuard on(device_);
  cudaGraph_t captured = nullptr;
  check_cuda(cudaStreamEndCapture(cuda(stream), &captured), "graph", "cudaStreamEndCapture");
  const std::unique_ptr<CUgraph_st, GraphDestroy> graph(captured);
  auto recorded = std::make_unique<Recorded>();
  check_cuda(cudaGraphGetNodes(captured, nullptr, &recorded->nodes), "graph", "cudaGraphGetNodes");
  check_cuda(cudaGraphInstantiate(&recorded->executable, captured, 0), "graph", "cudaGraphInstantiate");
  check_cuda(cudaGraphUpload(recorded->executable, cuda(stream)), "graph", "cudaGraphUpload");
  return recorded.release();
}

void CudaBackend::discard_capture(StreamHandle stream) noexcept {
  const DeviceGuard on(device_, std::nothrow);
  if (!on.is_active()) return;
  cudaGraph_t captured = nullptr;
  if (cudaStreamEndCapture(cuda(stream), &captured) != cudaSuccess) cudaGetLastError();
  if (captured) cudaGraphDestroy(captured);
}

void CudaBackend::launch_graph(GraphHandle graph, StreamHandle stream) {
  const DeviceGuard on(device_);
  check_cuda(cudaGraphLaunch(static_cast<Recorded*>(graph)->executable, cuda(stream)), "graph",
             "cudaGraphLaunch");
}

std::size_t CudaBackend::graph_nodes(GraphHandle graph) { return static_cast<Recorded*>(graph)->nodes; }

void CudaBackend::destroy_graph(GraphHandle graph) noexcept {
  const DeviceGuard on(device_, std::nothrow);
  if (on.is_active()) delete static_cast<Recorded*>(graph);
}

}  // namespace gpuvae::kernels
