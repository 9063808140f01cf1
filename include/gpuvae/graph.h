// CUDA graphs: work such as a training step, recorded once and launched as one unit.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

#include "gpuvae/device.h"

#pragma GCC visibility push(default)
namespace gpuvae {

// A recorded sequence of kernels, copies and fills. Host code runs only during the capture, so values that
// change from launch to launch must be read from device memory (Optimizer::clock, a Clock's device_step).
// Tensors that the captured function creates hold the results of the latest launch, and their memory is not
// reused while the graph, or one of these tensors, exists. All other tensors that the function uses must
// outlive the graph. One thread at a time may use a graph.
class CudaGraph {
 public:
  // Records `body` on `stream`, `repeats` times in succession, without running it. The stream is current
  // inside `body`. Run `body` once beforehand: the first matrix product of each shape selects its cuBLASLt
  // algorithm, which is impossible during a capture. Throws Error for the CPU, for the device's default
  // stream, for a stream that is being captured, and if `body` waits for the device or copies from the host.
  // Exceptions that `body` throws pass through. If `sharing` is given, the new graph reuses its memory. It
  // must be a graph of the same stream, where launches cannot overlap.
  [[nodiscard]] static CudaGraph capture(const Stream& stream, const std::function<void()>& body,
                                         int repeats = 1, const CudaGraph* sharing = nullptr);

  // A graph can be moved but not copied. After a move, all other members of the source throw Error.
  CudaGraph(CudaGraph&&) noexcept;
  CudaGraph& operator=(CudaGraph&&) noexcept;  // frees the graph that the target held
  ~CudaGraph();

  // Queues the recorded work and returns without waiting. Throws Error unless the captured stream is current,
  // because the graph uses that stream's workspaces.
  void launch() const;

  [[nodiscard]] std::size_t nodes() const;     // number of kernels, copies and fills
  [[nodiscard]] const Stream& stream() const;  // the captured stream

 private:
  struct Recorded;
  explicit CudaGraph(std::unique_ptr<Recorded> recorded);
  [[nodiscard]] const Recorded& recorded() const;
  std::unique_ptr<Recorded> recorded_;
};

}  // namespace gpuvae
#pragma GCC visibility pop
