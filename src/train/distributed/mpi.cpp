// The communicator of processes that mpirun started.
#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "gpuvae/distributed.h"
#include "kernels/check.h"
#include "kernels/log.h"
#include "src/train/distributed/mpi_plugin.h"

namespace gpuvae {
namespace {

namespace fs = std::filesystem;

// Open MPI, MPICH and Intel MPI, and Slurm's srun with PMIx set one of these variables.
bool launched_by_mpi() {
  for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "PMIX_RANK"})
    if (std::getenv(name)) return true;
  return false;
}

// Loads libgpuvae_mpi.so from the folder of the program or library that contains this function, from the lib
// folder beside it, or from the system's folders. For a program, dladdr() only has the name with which it was
// started, so /proc says where it is.
const MpiPlugin& load_plugin() {
  constexpr const char* kName = "libgpuvae_mpi.so";
  std::vector<fs::path> places;
  const auto add_beside = [&](const fs::path& file) {
    places.push_back(file.parent_path() / kName);
    places.push_back(file.parent_path() / ".." / "lib" / kName);
  };
  Dl_info here;
  std::error_code error;
  if (dladdr(reinterpret_cast<const void*>(&load_plugin), &here) && here.dli_fname)
    if (const fs::path file = fs::canonical(here.dli_fname, error); !error) add_beside(file);
  if (const fs::path program = fs::read_symlink("/proc/self/exe", error); !error) add_beside(program);
  places.emplace_back(kName);
  std::string errors;
  for (const fs::path& place : places) {
    // Open MPI's components look for its symbols in the global scope.
    if (void* library = dlopen(place.c_str(), RTLD_NOW | RTLD_GLOBAL))
      if (void* function = dlsym(library, kMpiPluginFunction))
        return *reinterpret_cast<MpiPluginFunction>(function)();
    errors = dlerror();
  }
  fail(unsupported("mpi"), "expected {}, because mpirun started this process, got: {}", kName, errors);
}

class MpiCommunicator final : public Communicator {
 public:
  MpiCommunicator() : mpi_(load_plugin()) { check_mpi(mpi_.start(&rank_, &size_)); }
  ~MpiCommunicator() override { mpi_.stop(); }
  MpiCommunicator(const MpiCommunicator&) = delete;
  MpiCommunicator& operator=(const MpiCommunicator&) = delete;

  int rank() const override { return rank_; }
  int size() const override { return size_; }

  void sum(const Tensor& values) override {
    check(values.dtype() == DType::f32 || values.dtype() == DType::f64, "sum", "expected f32 or f64, got {}",
          values);
    const bool cpu = values.device().is_cpu();
    Tensor host = cpu ? values : values.to(Device::cpu());
    check_mpi(values.dtype() == DType::f32 ? mpi_.sum_f32(host.data_as<float>(), host.elements())
                                           : mpi_.sum_f64(host.data_as<double>(), host.elements()));
    if (!cpu) values.copy_from(host);
  }

  void abort(int exit_status) noexcept override {
    mpi_.abort(exit_status);
    std::_Exit(exit_status);
  }

 private:
  static void check_mpi(const char* error) {
    check(!error, unsupported("mpi"), "the ranks cannot communicate: {}", error ? error : "");
  }

  const MpiPlugin& mpi_;
  int rank_ = 0, size_ = 1;
};

}  // namespace

std::shared_ptr<Communicator> mpi_communicator() {
  if (!launched_by_mpi()) return nullptr;
  static std::weak_ptr<Communicator> existing;
  std::shared_ptr<Communicator> communicator = existing.lock();
  if (communicator) return communicator;
  existing = communicator = std::make_shared<MpiCommunicator>();
  log_message(LogLevel::info, "mpi", "rank {} of {}", communicator->rank(), communicator->size());
  return communicator;
}

}  // namespace gpuvae
