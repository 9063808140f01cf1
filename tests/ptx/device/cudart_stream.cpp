// Emulates libcudart: streams as queues, and events.
//
// By default a stream runs its work as soon as it is queued. A lazy stream (Settings::lazy_streams) runs
// nothing until the host waits. The queues of all streams then run in a random order, so that a missing wait
// leads to wrong values.
#include <algorithm>

#include "stream.h"

namespace emulator::detail {

std::vector<cudaStream_t>& streams() {
  static auto& all = *new std::vector<cudaStream_t>{new CUstream_st};  // the per-thread default stream
  return all;
}

CUstream_st& of(cudaStream_t stream) {
  static CUstream_st& legacy = *new CUstream_st;
  if (stream == cudaStreamPerThread) return *streams().front();
  if (!stream || stream == cudaStreamLegacy) return legacy;
  if (std::find(streams().begin(), streams().end(), stream) == streams().end())
    fail("%p is not a stream, or was destroyed", static_cast<void*>(stream));
  return *stream;
}

namespace {

bool is_legacy(const CUstream_st& s) { return &s == &of(cudaStreamLegacy); }

std::vector<CUstream_st*> with_legacy(bool only_blocking) {
  std::vector<CUstream_st*> found{&of(cudaStreamLegacy)};
  std::copy_if(streams().begin(), streams().end(), std::back_inserter(found),
               [=](const CUstream_st* s) { return !only_blocking || s->waits_for_legacy(); });
  return found;
}

// Runs the next item of a randomly chosen stream until `enough` returns true.
template <class Enough>
void run_until(Enough enough) {
  while (!enough()) {
    std::vector<CUstream_st*> able;
    for (CUstream_st* s : with_legacy(false))
      if (s->can_run()) able.push_back(s);
    if (able.empty()) fail("a stream or the host waits for an event that is never recorded");
    auto& queue = able[random_below(able.size())]->queue;
    const Work work = std::move(queue.front().work);
    queue.pop_front();
    if (work) work();
  }
}

bool all_empty(bool only_blocking) {
  const auto found = with_legacy(only_blocking);
  return std::all_of(found.begin(), found.end(), [](const CUstream_st* s) { return s->queue.empty(); });
}

// The legacy default stream waits for all blocking streams, and they wait for it.
void keep_legacy_order(const CUstream_st& s) {
  if (is_legacy(s))
    run_until([] { return all_empty(true); });
  else if (s.waits_for_legacy())
    run_until([] { return of(cudaStreamLegacy).queue.empty(); });
}

void push_operation(CUstream_st& s, CUstream_st::Item item) {
  s.queue.push_back(std::move(item));
  if (!lazy()) run_until([&] { return s.queue.empty(); });
}

}  // namespace

bool is_capturing(cudaStream_t stream) { return of(stream).capture != nullptr; }

cudaError_t enqueue(cudaStream_t stream, cudaGraphNodeType type, Work work) {
  CUstream_st& s = of(stream);
  if (s.device >= 0 && s.device != current_device()) return cudaErrorInvalidResourceHandle;
  if (type != cudaGraphNodeTypeKernel)  // only kernels may overlap with the launches before them
    work = [work = std::move(work)] {
      flush_launches();
      work();
    };
  if (s.capture) {
    if (s.capture->invalid) return cudaErrorStreamCaptureInvalidated;
    s.capture->graph->nodes.push_back({type, std::move(work)});
    ++s.captured;
    s.unjoined = &s != s.capture->origin;
    return cudaSuccess;
  }
  if (is_legacy(s) && any_blocking_stream_captures()) return cudaErrorStreamCaptureImplicit;
  keep_legacy_order(s);
  push_operation(s, {std::move(work), nullptr});
  return cudaSuccess;
}

cudaError_t synchronise(cudaStream_t stream) {
  CUstream_st& s = of(stream);
  if (s.capture) return invalidate(*s.capture, cudaErrorStreamCaptureUnsupported);
  ++counters().host_synchronisations;
  if (is_legacy(s))
    keep_legacy_order(s);
  else
    run_until([&] { return s.queue.empty(); });
  flush_launches();
  return cudaSuccess;
}

void finish_all_streams() {
  run_until([] { return all_empty(false); });
  flush_launches();
}

namespace {

cudaError_t record(CUevent_st& event, CUstream_st& s) {
  event.capture = s.capture;
  if (s.capture) {
    event.captured_on = &s;
    event.captured = s.captured;
    return s.capture->invalid ? cudaErrorStreamCaptureInvalidated : cudaSuccess;
  }
  if (is_legacy(s) && any_blocking_stream_captures()) return cudaErrorStreamCaptureImplicit;
  keep_legacy_order(s);
  event.record = std::make_shared<Record>();
  push_operation(s, {[r = event.record] {
                       flush_launches();
                       *r = {true, std::chrono::steady_clock::now()};
                     },
                     nullptr});
  return cudaSuccess;
}

cudaError_t wait_for(CUstream_st& s, CUevent_st& event) {
  if (event.in_capture()) return join_capture(s, event);
  if (s.capture && event.record) return invalidate(*s.capture, cudaErrorStreamCaptureIsolation);
  if (!s.capture && event.record && !event.record->done) push_operation(s, {nullptr, event.record});
  return cudaSuccess;
}

cudaError_t elapsed(float* ms, const CUevent_st& start, const CUevent_st& end) {
  if ((start.flags | end.flags) & cudaEventDisableTiming || !start.record || !end.record)
    return cudaErrorInvalidResourceHandle;
  if (!start.record->done || !end.record->done) return cudaErrorNotReady;
  *ms = std::chrono::duration<float, std::milli>(end.record->when - start.record->when).count();
  return cudaSuccess;
}

}  // namespace
}  // namespace emulator::detail

using namespace emulator::detail;

extern "C" {

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags) {
  return entry_point([=] {
    if (!stream) return cudaErrorInvalidValue;
    streams().push_back(*stream = new CUstream_st{.flags = flags, .device = current_device()});
    return cudaSuccess;
  });
}
cudaError_t cudaStreamCreate(cudaStream_t* stream) {
  return cudaStreamCreateWithFlags(stream, cudaStreamDefault);
}
cudaError_t cudaStreamCreateWithPriority(cudaStream_t* stream, unsigned flags, int) {
  return cudaStreamCreateWithFlags(stream, flags);
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  return release_point([=] {
    if (!stream || stream == cudaStreamLegacy || stream == cudaStreamPerThread)
      return cudaErrorInvalidResourceHandle;
    run_until([&s = of(stream)] { return s.queue.empty(); });
    std::erase(streams(), stream);
    delete stream;
    return cudaSuccess;
  });
}
cudaError_t cudaStreamGetFlags(cudaStream_t stream, unsigned* flags) {
  return entry_point([=] { return *flags = of(stream).flags, cudaSuccess; });
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  return entry_point([=] { return synchronise(stream); });
}
cudaError_t cudaStreamQuery(cudaStream_t stream) {
  return entry_point([=] {
    CUstream_st& s = of(stream);
    if (s.capture) return invalidate(*s.capture, cudaErrorStreamCaptureUnsupported);
    return s.queue.empty() ? cudaSuccess : cudaErrorNotReady;
  });
}
cudaError_t cudaDeviceSynchronize() {
  return entry_point([] {
    for (cudaStream_t s : streams())
      if (s->capture) return invalidate(*s->capture, cudaErrorStreamCaptureUnsupported);
    ++counters().host_synchronisations;
    finish_all_streams();
    return cudaSuccess;
  });
}
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  return entry_point([=] { return event ? wait_for(of(stream), *event) : cudaErrorInvalidResourceHandle; });
}
cudaError_t cudaLaunchHostFunc(cudaStream_t stream, cudaHostFn_t function, void* data) {
  if (!function) return cudaErrorInvalidValue;
  return entry_point([=] { return enqueue(stream, cudaGraphNodeTypeHost, [=] { function(data); }); });
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags) {
  return entry_point([=] {
    if (!event) return cudaErrorInvalidValue;
    *event = new CUevent_st{.flags = flags};
    return cudaSuccess;
  });
}
cudaError_t cudaEventCreate(cudaEvent_t* event) { return cudaEventCreateWithFlags(event, cudaEventDefault); }
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  return release_point([=] {
    if (!event) return cudaErrorInvalidResourceHandle;
    delete event;
    return cudaSuccess;
  });
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  return entry_point([=] { return event ? record(*event, of(stream)) : cudaErrorInvalidResourceHandle; });
}
cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  return entry_point([=] {
    if (!event) return cudaErrorInvalidResourceHandle;
    if (event->in_capture()) return invalidate(*event->capture, cudaErrorStreamCaptureUnsupported);
    ++counters().host_synchronisations;
    run_until([=] { return !event->record || event->record->done; });
    return cudaSuccess;
  });
}
cudaError_t cudaEventQuery(cudaEvent_t event) {
  return entry_point([=] {
    if (!event) return cudaErrorInvalidResourceHandle;
    if (event->in_capture()) return invalidate(*event->capture, cudaErrorStreamCaptureUnsupported);
    return !event->record || event->record->done ? cudaSuccess : cudaErrorNotReady;
  });
}
cudaError_t cudaEventElapsedTime(float* ms, cudaEvent_t start, cudaEvent_t end) {
  return entry_point([=] {
    if (!ms) return cudaErrorInvalidValue;
    return start && end ? elapsed(ms, *start, *end) : cudaErrorInvalidResourceHandle;
  });
}

}  // extern "C"
