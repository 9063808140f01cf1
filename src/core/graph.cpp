#include "gpuvae/graph.h"

#include "kernels/backend.h"
#include "kernels/check.h"
#include "kernels/ranges.h"
#include "src/core/memory.h"

namespace gpuvae {

struct CudaGraph::Recorded {
  explicit Recorded(const Stream& s) : stream(s), memory(std::make_shared<GraphMemory>(s.device())) {}
  ~Recorded() {
    if (handle) stream.device().backend().destroy_graph(handle);
  }
  Recorded(const Recorded&) = delete;
  Recorded& operator=(const Recorded&) = delete;

  Stream stream;
  std::shared_ptr<GraphMemory> memory;
  kernels::GraphHandle handle = nullptr;
};

namespace {

// Discards the capture if an exception is thrown before end() is called.
class Capture {
 public:
  explicit Capture(const Stream& stream) : stream_(stream) {
    backend().begin_capture(stream.handle());
    open_ = true;
  }
  ~Capture() {
    if (open_) backend().discard_capture(stream_.handle());
  }
  Capture(const Capture&) = delete;
  Capture& operator=(const Capture&) = delete;

  kernels::GraphHandle end() {
    open_ = false;
    return backend().end_capture(stream_.handle());
  }

 private:
  kernels::Backend& backend() const { return stream_.device().backend(); }
  const Stream& stream_;
  bool open_ = false;
};

}  // namespace

CudaGraph CudaGraph::capture(const Stream& stream, const std::function<void()>& body, int repeats,
                             const CudaGraph* sharing) {
  check(static_cast<bool>(body), "graph", "expected a function to record, got an empty one");
  check(repeats > 0, "graph", "expected 1 or more repeats, got {}", repeats);
  check(!stream.device().is_cpu(), unsupported("graph"), "expected a CUDA device, got cpu");
  check(!sharing || sharing->stream() == stream, "graph",
        "expected sharing to be a graph of the same stream, got a graph of another stream");
  const kernels::Range range("capture");
  auto recorded = std::make_unique<Recorded>(stream);
  if (sharing) recorded->memory = sharing->recorded_->memory;
  const StreamGuard on(stream);
  const CaptureScope memory(stream.device(), recorded->memory);
  Capture capture(stream);
  for (int i = 0; i < repeats; ++i) body();
  recorded->handle = capture.end();
  return CudaGraph(std::move(recorded));
}

CudaGraph::CudaGraph(std::unique_ptr<Recorded> recorded) : recorded_(std::move(recorded)) {}
CudaGraph::CudaGraph(CudaGraph&&) noexcept = default;
CudaGraph& CudaGraph::operator=(CudaGraph&&) noexcept = default;
CudaGraph::~CudaGraph() = default;

const CudaGraph::Recorded& CudaGraph::recorded() const {
  check(recorded_ != nullptr, "graph", "expected a captured graph, got one that was moved from");
  return *recorded_;
}

void CudaGraph::launch() const {
  const Stream& stream = recorded().stream;
  check(Stream::current(stream.device()) == stream, "graph",
        "expected the captured stream to be current at a launch, got another stream");
  const kernels::Range range("graph");
  stream.device().backend().launch_graph(recorded_->handle, stream.handle());
}

std::size_t CudaGraph::nodes() const { return stream().device().backend().graph_nodes(recorded_->handle); }
const Stream& CudaGraph::stream() const { return recorded().stream; }

}  // namespace gpuvae
