// Training one model with several processes (ranks), each of which computes a part of every batch.
//
// All ranks make the same model, optimiser and trainer from the same data and options, and give the trainer
// their communicator (TrainOptions::communicator). In each step, a rank computes its rows of the batch, and
// the gradients and losses are summed over the ranks, so all ranks hold the same parameters at all times.
// Noise and data order do not depend on the number of ranks: the losses agree with those of one process up to
// rounding, and runs with the same number of ranks have the same bits.
#pragma once

#include <memory>

#include "gpuvae/tensor.h"

#pragma GCC visibility push(default)
namespace gpuvae {

// Connects the ranks of a run. All ranks must make the same calls in the same order, each from one thread at
// a time.
class Communicator {
 public:
  virtual ~Communicator() = default;
  // @{
  // The number of this rank, from 0, and the number of ranks.
  [[nodiscard]] virtual int rank() const = 0;
  [[nodiscard]] virtual int size() const = 0;
  // @}
  // Replaces the elements of `values`, f32 or f64 on any device, by their sums over the ranks. Every rank
  // gets the same bits, which are also the same in every run with this number of ranks. Waits for the other
  // ranks; on a GPU, the sum may be queued on the current stream instead. Throws Error for another dtype, or
  // if the ranks cannot communicate.
  virtual void sum(const Tensor& values) = 0;
  // Ends all ranks because this one failed. The default ends this process with the given exit status.
  [[noreturn]] virtual void abort(int exit_status) noexcept;
};

// Returns the communicator of the ranks that mpirun (Open MPI, MPICH) started, or null if this process was
// not started by it. The first call initialises MPI, and the last owner of the result finalises it, which
// waits for all ranks. Throws Error if mpirun started this process but libgpuvae_mpi.so, which builds
// with MPI install, was not found.
// Call this function from the main thread.
[[nodiscard]] std::shared_ptr<Communicator> mpi_communicator();

// Returns a communicator of the same ranks that sums tensors on `device`, a GPU, with NCCL on the current
// stream, and all other tensors with `ranks`. Without it, sums of tensors on a GPU go through host memory.
// All ranks must call this function, each with another GPU. Throws Error of the kind ErrorKind::unsupported
// on all ranks if the library was built without NCCL, if libnccl.so.2 was not found, or if two ranks have the
// same GPU. One thread at a time may use the result.
[[nodiscard]] std::shared_ptr<Communicator> nccl_communicator(std::shared_ptr<Communicator> ranks,
                                                              Device device);

}  // namespace gpuvae
#pragma GCC visibility pop
