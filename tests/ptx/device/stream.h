// Streams, events and graphs of the emulated libcudart.
#pragma once

#include <chrono>
#include <deque>
#include <memory>
#include <vector>

#include "detail.h"

struct CUgraphNode_st {
  cudaGraphNodeType type;
  emulator::detail::Work work;
};
struct CUgraph_st {
  std::deque<CUgraphNode_st> nodes;            // in the order of the calls
  std::vector<std::shared_ptr<void>> objects;  // user objects, which executable graphs share
};
struct CUuserObject_st {
  std::shared_ptr<void> object;
};
struct CUgraphExec_st {
  CUgraph_st graph;
};

namespace emulator::detail {

struct Capture {
  cudaStream_t origin;
  cudaStreamCaptureMode mode;
  std::unique_ptr<CUgraph_st> graph = std::make_unique<CUgraph_st>();
  bool invalid = false, ended = false;
  unsigned long long number = 0;  // from 1, in the order of the captures
};

// One cudaEventRecord: the point in a stream at which an event was recorded.
struct Record {
  bool done = false;
  std::chrono::steady_clock::time_point when{};
};

}  // namespace emulator::detail

struct CUstream_st {
  struct Item {
    emulator::detail::Work work;                          // empty if the item only waits
    std::shared_ptr<emulator::detail::Record> waits_for;  // null if the item can run at once
  };
  unsigned flags = cudaStreamDefault;
  // The device of the context in which the stream was created. A default stream belongs to the current
  // device.
  int device = -1;
  std::deque<Item> queue{};
  std::shared_ptr<emulator::detail::Capture> capture{};
  // Number of captured calls. An event that recorded this number covers all of the stream's captured work.
  unsigned captured = 0;
  bool unjoined = false;  // true while the capture's origin stream has not yet waited for this stream's work

  bool can_run() const {
    return !queue.empty() && (!queue.front().waits_for || queue.front().waits_for->done);
  }
  bool waits_for_legacy() const { return !(flags & cudaStreamNonBlocking); }
};

struct CUevent_st {
  unsigned flags = cudaEventDefault;
  std::shared_ptr<emulator::detail::Record> record{};  // null if the event was never recorded
  std::shared_ptr<emulator::detail::Capture> capture{};
  // The stream that captured the event, and that stream's `captured` at the time.
  cudaStream_t captured_on = nullptr;
  unsigned captured = 0;

  bool in_capture() const { return capture && !capture->ended; }
};

namespace emulator::detail {

// Returns the state of a stream handle. Throws Error for a stream that does not exist or was destroyed.
CUstream_st& of(cudaStream_t stream);
std::vector<cudaStream_t>& streams();  // all streams except the legacy default stream
// Marks a capture as invalid and returns `why`.
cudaError_t invalidate(Capture& capture, cudaError_t why);
bool any_blocking_stream_captures();
// Makes `stream` join the capture in which `event` was recorded, as cudaStreamWaitEvent does.
cudaError_t join_capture(CUstream_st& stream, CUevent_st& event);

}  // namespace emulator::detail
