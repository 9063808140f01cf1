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

struct Record {  // one recording of an event in a stream
  bool done = false;
  std::chrono::steady_clock::time_point when{};
};

}  // namespace emulator::detail

struct CUstream_st {
  struct Item {
    emulator::detail::Work work;                          // empty if the item only waits
    std::shared_ptr<emulator::detail::Record> waits_for;  // empty if the item can run at once
  };
  unsigned flags = cudaStreamDefault;
  int device = -1;  // device of the context it was created in; a default stream belongs to the current device
  std::deque<Item> queue{};
  std::shared_ptr<emulator::detail::Capture> capture{};
  unsigned captured = 0;  // number of captured calls; tells whether an event is the last
  bool unjoined = false;  // the capture's origin does not yet wait for this stream's work

  bool can_run() const {
    return !queue.empty() && (!queue.front().waits_for || queue.front().waits_for->done);
  }
  bool waits_for_legacy() const { return !(flags & cudaStreamNonBlocking); }
};

struct CUevent_st {
  unsigned flags = cudaEventDefault;
  std::shared_ptr<emulator::detail::Record> record{};  // empty if never recorded
  std::shared_ptr<emulator::detail::Capture> capture{};
  cudaStream_t captured_on = nullptr;
  unsigned captured = 0;

  bool in_capture() const { return capture && !capture->ended; }
};

namespace emulator::detail {

CUstream_st& of(cudaStream_t stream);
std::vector<cudaStream_t>& streams();  // all streams except the legacy one
cudaError_t invalidate(Capture& capture, cudaError_t why);
bool any_blocking_stream_captures();
cudaError_t join_capture(CUstream_st& stream, CUevent_st& event);  // spreads a capture to another stream

}  // namespace emulator::detail
