// CUDA graphs: work such as a training step, recorded once and launched as one unit.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

#include "gpuvae/device.h"

namespace gpuvae {

// A recorded sequence of kernels, copies and fills. Host code runs only during the capture, so values that
// change from launch to launch must be read from device memory (Optimizer::clock, a Clock's device_step). The
// memory of tensors that the body creates is not reused while the graph, or a tensor it produced, exists;
// such tensors hold the results of the latest launch. Other tensors that the body uses must outlive the
// graph. One thread at a time may use a graph.
class CudaGraph {
 public:
  // Records `body` on `stream`, `repeats` times in succession, without running it. The stream is current
  // inside `body`. Run the body once beforehand: the first product of a shape chooses its algorithm, which is
  // impossible during a capture. Throws Error for the CPU, for the device's default stream, for a stream that
  // is being captured, and for calls in the body that wait for the device or copy from the host. Exceptions
  // of the body pass through. With `sharing`, a graph of the same stream, both graphs use the same memory,
  // because their launches follow one another.
  [[nodiscard]] static CudaGraph capture(const Stream& stream, const std::function<void()>& body,
                                         int repeats = 1, const CudaGraph* sharing = nullptr);

  // A graph can be moved but not copied. After a move, the source can only be assigned to or destroyed.
  CudaGraph(CudaGraph&&) noexcept;
  CudaGraph& operator=(CudaGraph&&) noexcept;  // frees the graph that the target held
  ~CudaGraph();

  // Queues the recorded work and returns without waiting. Throws Error unless the stream of the capture is
  // current, because the graph uses the workspaces of that stream.
  void launch() const;

  [[nodiscard]] std::size_t nodes() const;     // number of kernels, copies and fills
  [[nodiscard]] const Stream& stream() const;  // the stream of the capture

 private:
  struct Recorded;
  explicit CudaGraph(std::unique_ptr<Recorded> recorded);
  std::unique_ptr<Recorded> recorded_;
};

}  // namespace gpuvae
