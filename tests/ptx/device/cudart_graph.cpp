// Emulates libcudart: stream capture, and graphs that replay the captured work in the order of the calls.
#include <algorithm>

#include "stream.h"

namespace emulator::detail {
namespace {

thread_local cudaStreamCaptureMode thread_mode = cudaStreamCaptureModeGlobal;

std::shared_ptr<Capture> end_of(CUstream_st& s, bool* unjoined) {
  const std::shared_ptr<Capture> capture = s.capture;
  *unjoined = false;
  for (CUstream_st* other : streams()) {
    if (other->capture != capture) continue;
    *unjoined |= other->unjoined;
    other->capture = nullptr;
    other->unjoined = false;
    other->captured = 0;
  }
  capture->ended = true;
  return capture;
}

cudaError_t begin_capture(cudaStream_t stream, cudaStreamCaptureMode mode) {
  CUstream_st& s = of(stream);
  if (&s == &of(cudaStreamLegacy)) return cudaErrorStreamCaptureUnsupported;
  if (s.capture) return cudaErrorIllegalState;
  static unsigned long long captures = 0;
  s.capture = std::make_shared<Capture>(Capture{.origin = &s, .mode = mode, .number = ++captures});
  return cudaSuccess;
}

cudaError_t end_capture(cudaStream_t stream, cudaGraph_t* graph) {
  *graph = nullptr;
  CUstream_st& s = of(stream);
  if (!s.capture) return cudaErrorIllegalState;
  if (s.capture->origin != &s) return invalidate(*s.capture, cudaErrorStreamCaptureUnmatched);
  bool unjoined = false;
  const std::shared_ptr<Capture> capture = end_of(s, &unjoined);
  if (capture->invalid) return cudaErrorStreamCaptureInvalidated;
  if (unjoined) return cudaErrorStreamCaptureUnjoined;
  *graph = capture->graph.release();
  return cudaSuccess;
}

cudaError_t list_nodes(cudaGraph_t graph, cudaGraphNode_t* nodes, std::size_t* count) {
  if (nodes)
    for (std::size_t i = 0; i < *count; ++i) nodes[i] = i < graph->nodes.size() ? &graph->nodes[i] : nullptr;
  *count = nodes ? std::min(*count, graph->nodes.size()) : graph->nodes.size();
  return cudaSuccess;
}

cudaStreamCaptureStatus status_of(const CUstream_st& stream) {
  if (!stream.capture) return cudaStreamCaptureStatusNone;
  return stream.capture->invalid ? cudaStreamCaptureStatusInvalidated : cudaStreamCaptureStatusActive;
}

// The emulated graphs own a user object as soon as they retain it with cudaGraphUserObjectMove.
cudaError_t retain_object(cudaGraph_t graph, cudaUserObject_t object, unsigned count, unsigned flags) {
  if (!graph || !object || count != 1 || flags != cudaGraphUserObjectMove) return cudaErrorInvalidValue;
  graph->objects.push_back(std::move(object->object));
  delete object;
  return cudaSuccess;
}

cudaError_t launch_graph(const CUgraphExec_st& exec, cudaStream_t stream) {
  if (!is_capturing(stream)) ++counters().graph_launches;
  for (const CUgraphNode_st& node : exec.graph.nodes)
    if (const cudaError_t e = enqueue(stream, node.type, node.work); e != cudaSuccess) return e;
  return cudaSuccess;
}

}  // namespace

cudaError_t invalidate(Capture& capture, cudaError_t why) {
  capture.invalid = true;
  return why;
}

bool any_blocking_stream_captures() {
  return std::any_of(streams().begin(), streams().end(),
                     [](const CUstream_st* s) { return s->capture && s->waits_for_legacy(); });
}

cudaError_t forbidden_while_capturing() {
  if (thread_mode == cudaStreamCaptureModeRelaxed) return cudaSuccess;
  for (CUstream_st* s : streams())
    if (s->capture && s->capture->mode != cudaStreamCaptureModeRelaxed)
      return invalidate(*s->capture, cudaErrorStreamCaptureUnsupported);
  return cudaSuccess;
}

cudaError_t join_capture(CUstream_st& s, CUevent_st& event) {
  if (s.capture && s.capture != event.capture) return invalidate(*s.capture, cudaErrorStreamCaptureMerge);
  if (&s == &of(cudaStreamLegacy)) return invalidate(*event.capture, cudaErrorStreamCaptureImplicit);
  s.capture = event.capture;
  CUstream_st& other = *event.captured_on;
  if (&other == &s) return cudaSuccess;
  if (other.captured == event.captured) other.unjoined = false;
  s.unjoined = &s != s.capture->origin;
  return cudaSuccess;
}

}  // namespace emulator::detail

using namespace emulator::detail;

extern "C" {

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode) {
  return entry_point([=] { return begin_capture(stream, mode); });
}
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  return release_point([=] { return end_capture(stream, graph); });
}
cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus* status) {
  return entry_point([=] {
    *status = status_of(of(stream));
    return cudaSuccess;
  });
}
#if CUDART_VERSION >= 13000
cudaError_t cudaStreamGetCaptureInfo(cudaStream_t stream, cudaStreamCaptureStatus* status,
                                     unsigned long long* number, cudaGraph_t* graph, const cudaGraphNode_t**,
                                     const cudaGraphEdgeData**, std::size_t*) {
#else
cudaError_t cudaStreamGetCaptureInfo_v2(cudaStream_t stream, cudaStreamCaptureStatus* status,
                                        unsigned long long* number, cudaGraph_t* graph,
                                        const cudaGraphNode_t**, std::size_t*) {
#endif
  return query_point([=] {
    const CUstream_st& s = of(stream);
    *status = status_of(s);
    if (!s.capture) return cudaSuccess;
    if (number) *number = s.capture->number;
    if (graph) *graph = s.capture->graph.get();
    return cudaSuccess;
  });
}
cudaError_t cudaUserObjectCreate(cudaUserObject_t* object, void* pointer, cudaHostFn_t destroy,
                                 unsigned count, unsigned flags) {
  return query_point([=] {
    if (!object || !destroy || count != 1 || flags != cudaUserObjectNoDestructorSync)
      return cudaErrorInvalidValue;
    *object = new CUuserObject_st{{pointer, destroy}};
    return cudaSuccess;
  });
}
cudaError_t cudaGraphRetainUserObject(cudaGraph_t graph, cudaUserObject_t object, unsigned count,
                                      unsigned flags) {
  return query_point([=] { return retain_object(graph, object, count, flags); });
}
cudaError_t cudaThreadExchangeStreamCaptureMode(cudaStreamCaptureMode* mode) {
  return std::swap(*mode, thread_mode), cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* exec, cudaGraph_t graph, unsigned long long) {
  return entry_point([=] {
    if (!graph) return cudaErrorInvalidValue;
    *exec = new CUgraphExec_st{*graph};
    return cudaSuccess;
  });
}
cudaError_t cudaGraphInstantiateWithFlags(cudaGraphExec_t* exec, cudaGraph_t graph,
                                          unsigned long long flags) {
  return cudaGraphInstantiate(exec, graph, flags);
}
cudaError_t cudaGraphUpload(cudaGraphExec_t, cudaStream_t) { return cudaSuccess; }
cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream) {
  return entry_point([=] { return exec ? launch_graph(*exec, stream) : cudaErrorInvalidValue; });
}
cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t* nodes, std::size_t* count) {
  return entry_point([=] { return graph ? list_nodes(graph, nodes, count) : cudaErrorInvalidValue; });
}
cudaError_t cudaGraphNodeGetType(cudaGraphNode_t node, cudaGraphNodeType* type) {
  return entry_point([=] { return *type = node->type, cudaSuccess; });
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  return release_point([=] { return delete graph, cudaSuccess; });
}
// Work of earlier launches owns what it needs, so the graph can be destroyed before that work finishes.
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec) {
  return release_point([=] { return delete exec, cudaSuccess; });
}

}  // extern "C"
