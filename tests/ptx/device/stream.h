// Streams, events and graphs as the stand-in for libcudart sees them.
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
  std::deque<CUgraphNode_st> nodes;  // in the order of the calls
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
};

struct Record {  // of an event in a stream
  bool done = false;
  std::chrono::steady_clock::time_point when{};
};

}  // namespace emulator::detail

struct CUstream_st {
  struct Item {
    emulator::detail::Work work;                          // empty: only waits
    std::shared_ptr<emulator::detail::Record> waits_for;  // empty: runs at once
  };
  unsigned flags = cudaStreamDefault;
  int device = -1;  // whose context it was created in; a default stream belongs to the current device
  std::deque<Item> queue{};
  std::shared_ptr<emulator::detail::Capture> capture{};
  unsigned captured = 0;  // calls, to tell whether an event is the last
  bool unjoined = false;  // the capture's origin does not yet wait for what this stream was given

  bool can_run() const {
    return !queue.empty() && (!queue.front().waits_for || queue.front().waits_for->done);
  }
  bool waits_for_legacy() const { return !(flags & cudaStreamNonBlocking); }
};

struct CUevent_st {
  unsigned flags = cudaEventDefault;
  std::shared_ptr<emulator::detail::Record> record{};  // empty: never recorded
  std::shared_ptr<emulator::detail::Capture> capture{};
  cudaStream_t captured_on = nullptr;
  unsigned captured = 0;

  bool in_capture() const { return capture && !capture->ended; }
};

namespace emulator::detail {

CUstream_st& of(cudaStream_t stream);
std::vector<cudaStream_t>& streams();  // all but the legacy one
cudaError_t invalidate(Capture& capture, cudaError_t why);
bool any_blocking_stream_captures();
cudaError_t join_capture(CUstream_st& stream, CUevent_st& event);  // how a capture spreads to other streams

}  // namespace emulator::detail
