// CUDA graphs: a training step of one's own, recorded once and launched as one piece of work.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

#include "gpuvae/device.h"

namespace gpuvae {

// What a body gave its stream, ready to be launched any number of times. Host code of the body ran at the
// capture only: what changes from launch to launch must be read from device memory (Optimizer::clock, a
// Clock's device_step). Memory of the body's tensors belongs to the graph and to the tensors it leaves
// behind, which hold what the latest launch computed; nobody else is handed it while one of them lives.
// Tensors from outside that the body uses must outlive the graph.
class CudaGraph {
 public:
  // Records `body` on `stream`, `repeats` times in a row; nothing runs. The stream is current inside. Run the
  // body once beforehand: the first product of a shape chooses its algorithm, which a capture cannot. Throws
  // Error for the CPU, the device's default stream, a stream that is being captured, and for calls in the
  // body that wait for the device or copy from the host, naming them; what the body throws passes through.
  // A graph of the same stream may share its memory: launches of the two follow each other.
  [[nodiscard]] static CudaGraph capture(const Stream& stream, const std::function<void()>& body,
                                         int repeats = 1, const CudaGraph* sharing = nullptr);

  CudaGraph(CudaGraph&&) noexcept;
  CudaGraph& operator=(CudaGraph&&) noexcept;
  ~CudaGraph();

  // Enqueues all of it, and returns. The stream of the capture must be current: it is the one whose
  // workspaces the graph uses.
  void launch() const;

  [[nodiscard]] std::size_t nodes() const;  // kernels, copies and fills
  [[nodiscard]] const Stream& stream() const;

 private:
  struct Recorded;
  explicit CudaGraph(std::unique_ptr<Recorded> recorded);
  std::unique_ptr<Recorded> recorded_;
};

}  // namespace gpuvae
