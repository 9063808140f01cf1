// Sums tensors on GPUs with NCCL. The communicator that launched the ranks sums all others.
#include "gpuvae/distributed.h"
#include "kernels/check.h"

#if GPUVAE_NCCL
#include <cuda_runtime_api.h>
#include <nccl.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <functional>

#include "kernels/cuda/runtime/context.h"
#include "kernels/cuda/runtime/dynamic_library.h"
#include "kernels/cuda/runtime/errors.h"

namespace gpuvae {
namespace {

// The functions of NCCL, which is loaded only in processes that use it.
struct Nccl {
  decltype(&ncclGetUniqueId) new_id = nullptr;
  decltype(&ncclCommInitRank) connect = nullptr;
  decltype(&ncclAllReduce) sum = nullptr;
  decltype(&ncclCommDestroy) disconnect = nullptr;
  decltype(&ncclGetErrorString) error_text = nullptr;
};

Nccl load() {
  const kernels::ToolkitLibrary library = {"nccl",     "NCCL",          "sums over GPUs need", "libnccl.so",
                                           NCCL_MAJOR, "ncclAllReduce", "the package libnccl2"};
  void* handle = kernels::open_library(library);
  Nccl nccl;
  kernels::find_function(library, handle, "ncclGetUniqueId", nccl.new_id);
  kernels::find_function(library, handle, "ncclCommInitRank", nccl.connect);
  kernels::find_function(library, handle, "ncclAllReduce", nccl.sum);
  kernels::find_function(library, handle, "ncclCommDestroy", nccl.disconnect);
  kernels::find_function(library, handle, "ncclGetErrorString", nccl.error_text);
  return nccl;
}

const Nccl& nccl() {
  static const Nccl functions = load();
  return functions;
}

void check_nccl(ncclResult_t result, const char* call) {
  check(result == ncclSuccess, Origin("nccl", ErrorKind::cuda), "{}: {}", call,
        result == ncclSuccess ? "" : nccl().error_text(result));
}

// Returns a number above 0 that identifies a GPU among those of all machines.
double gpu_number(Device device) {
  char gpu[32] = {}, host[HOST_NAME_MAX + 1] = {};
  kernels::check_cuda(cudaDeviceGetPCIBusId(gpu, sizeof gpu, device.index()), "nccl",
                      "cudaDeviceGetPCIBusId");
  gethostname(host, sizeof host - 1);
  // A double holds 53 bits exactly.
  return 1 + static_cast<double>(std::hash<std::string>()(std::string(host) + " " + gpu) >> 12);
}

std::vector<double> sums_of(Communicator& ranks, const std::vector<double>& values) {
  const Tensor shared = Tensor::from(values, {static_cast<std::int64_t>(values.size())});
  ranks.sum(shared);
  return shared.to_doubles();
}

class NcclCommunicator final : public Communicator {
 public:
  NcclCommunicator(std::shared_ptr<Communicator> ranks, Device device)
      : ranks_(std::move(ranks)), device_(device), gpu_(device.index()) {
    // Rank 0 makes the identifier of the group, which the others receive as the sum of its bytes and zeros.
    ncclUniqueId id{};
    if (rank() == 0) check_nccl(nccl().new_id(&id), "ncclGetUniqueId");
    std::vector<double> bytes(sizeof id.internal);
    std::transform(std::begin(id.internal), std::end(id.internal), bytes.begin(),
                   [](char byte) { return static_cast<unsigned char>(byte); });
    bytes = sums_of(*ranks_, bytes);
    std::transform(bytes.begin(), bytes.end(), std::begin(id.internal),
                   [](double byte) { return static_cast<char>(static_cast<unsigned char>(byte)); });
    const kernels::DeviceGuard on(gpu_);
    check_nccl(nccl().connect(&connection_, size(), id, rank()), "ncclCommInitRank");
  }
  ~NcclCommunicator() override {
    const kernels::DeviceGuard on(gpu_, std::nothrow);
    if (on.is_active()) nccl().disconnect(connection_);
  }
  NcclCommunicator(const NcclCommunicator&) = delete;
  NcclCommunicator& operator=(const NcclCommunicator&) = delete;

  int rank() const override { return ranks_->rank(); }
  int size() const override { return ranks_->size(); }

  void sum(const Tensor& values) override {
    const bool is_float = values.dtype() == DType::f32;
    if (values.device() != device_ || !(is_float || values.dtype() == DType::f64)) return ranks_->sum(values);
    const kernels::DeviceGuard on(gpu_);
    void* data = Tensor(values).data();
    check_nccl(nccl().sum(data, data, static_cast<std::size_t>(values.elements()),
                          is_float ? ncclFloat32 : ncclFloat64, ncclSum, connection_,
                          static_cast<cudaStream_t>(Stream::current(device_).handle())),
               "ncclAllReduce");
  }

  void abort(int exit_status) noexcept override { ranks_->abort(exit_status); }

 private:
  std::shared_ptr<Communicator> ranks_;
  Device device_;
  kernels::CudaDevice gpu_;
  ncclComm_t connection_ = nullptr;
};

}  // namespace

std::shared_ptr<Communicator> nccl_communicator(std::shared_ptr<Communicator> ranks, Device device) {
  check(ranks && !device.is_cpu(), "nccl", "expected a communicator and a CUDA device, got {}",
        ranks ? device.text() : "no communicator");
  std::vector<double> gpus(static_cast<std::size_t>(ranks->size()));
  std::string problem = "another rank cannot use NCCL";
  try {
    nccl();
    gpus[static_cast<std::size_t>(ranks->rank())] = gpu_number(device);
  } catch (const Error& error) {
    problem = error.what();
  }
  // Either all ranks throw, or none does.
  gpus = sums_of(*ranks, gpus);
  std::sort(gpus.begin(), gpus.end());
  check(gpus[0] > 0, unsupported("nccl"), "{}", problem);
  check(std::adjacent_find(gpus.begin(), gpus.end()) == gpus.end(), unsupported("nccl"),
        "expected a GPU for each rank, got ranks that share one");
  return std::make_shared<NcclCommunicator>(std::move(ranks), device);
}

}  // namespace gpuvae

#else

std::shared_ptr<gpuvae::Communicator> gpuvae::nccl_communicator(std::shared_ptr<Communicator>, Device) {
  fail(unsupported("nccl"), "expected a library that was built with CUDA and NCCL, got one without");
}

#endif
