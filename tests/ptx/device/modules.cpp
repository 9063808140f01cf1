// Handles what nvcc's host code registers before main: kernels, and fat binaries that hold the PTX as text.
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "detail.h"
#include "machine.h"
#include "mutant.h"

namespace emulator::detail {
namespace {

struct Image {  // one .cu file for one architecture
  int target = 0;
  std::string_view text;
  std::unique_ptr<ptx::Module> module;  // loaded when one of its kernels is first needed
};

struct FatBinary {
  std::vector<Image> images;
};

struct Registration {
  FatBinary* binary = nullptr;
  std::string name;
  std::size_t dynamic_limit = 0;           // set by cudaFuncSetAttribute; 0 means the default
  std::map<const Image*, Function> found;  // by image
};

// The map is never destroyed, because static objects of a program may launch kernels at exit.
std::map<const void*, Registration>& registrations() {
  static auto& all = *new std::map<const void*, Registration>;
  return all;
}

// Parses `.target sm_90` and `.target sm_90a` as 90.
int target_of(std::string_view text) {
  constexpr std::string_view kTarget = ".target sm_";
  const std::size_t at = text.find(kTarget);
  return at == std::string_view::npos ? 0 : std::atoi(text.data() + at + kTarget.size());
}

// The data hold the texts uncompressed (nvcc --no-compress), each ended by a zero byte, and may hold machine
// code.
std::unique_ptr<FatBinary> read_fat_binary(std::string_view data) {
  auto binary = std::make_unique<FatBinary>();
  for (std::size_t at = data.find(".version "); at != std::string_view::npos;) {
    const std::size_t end = std::min(data.find('\0', at), data.size());
    const std::string_view text = data.substr(at, end - at);
    if (const int target = target_of(text)) binary->images.push_back({target, text, nullptr});
    at = data.find(".version ", end);
  }
  return binary;
}

// PTX_TARGETS=75,80 hides all other images, as if the program had been built without them.
bool is_built(int target) {
  const char* only = std::getenv("PTX_TARGETS");
  return !only || std::string_view(only).find(std::to_string(target)) != std::string_view::npos;
}

Image* newest_image(FatBinary& binary) {
  Image* newest = nullptr;
  for (Image& image : binary.images)
    if (image.target <= compute_capability() && is_built(image.target) &&
        (!newest || image.target > newest->target))
      newest = &image;
  return newest;
}

}  // namespace

const Function* find_function(const void* host_function) {
  const auto at = registrations().find(host_function);
  if (at == registrations().end()) fail("%p is not a kernel of this program", host_function);
  Registration& r = at->second;
  Image* image = newest_image(*r.binary);
  if (!image) return nullptr;
  if (!image->module)
    image->module = std::make_unique<ptx::Module>(
        ptx::Module::load(apply_mutant(std::string(image->text), image->target)));
  const auto [found, is_new] = r.found.try_emplace(image);
  if (is_new) found->second = {image->module.get(), &image->module->kernel(r.name), image->target};
  return &found->second;
}

// Returns the size with ptxas's placement, without the gaps that the executor adds between variables.
std::size_t static_shared_bytes(const ptx::Kernel& kernel) {
  std::size_t bytes = 0;
  for (const ptx::Variable& v : kernel.shared)
    if (!v.dynamic) bytes = (bytes + v.align - 1) / v.align * v.align + v.size;
  return bytes;
}

// Static and dynamic shared memory share a limit of 48 KiB, unless the kernel opted in to more.
std::size_t dynamic_shared_limit(const void* host_function) {
  const Function* f = find_function(host_function);
  if (const std::size_t limit = registrations().at(host_function).dynamic_limit) return limit;
  return f ? kSharedPerBlock - std::min(kSharedPerBlock, static_shared_bytes(*f->kernel)) : kSharedPerBlock;
}

cudaError_t set_dynamic_shared_limit(const void* host_function, int bytes) {
  const Function* f = find_function(host_function);
  if (!f) return cudaErrorNoKernelImageForDevice;
  if (bytes < 0 || std::size_t(bytes) + static_shared_bytes(*f->kernel) > kSharedPerBlockOptIn)
    return cudaErrorInvalidValue;
  registrations().at(host_function).dynamic_limit = std::size_t(bytes);
  return cudaSuccess;
}

}  // namespace emulator::detail

using namespace emulator::detail;

extern "C" {

void** __cudaRegisterFatBinary(void* wrapper) {
  struct Wrapper {
    int magic, version;
    const char* data;
    void* file;
  };
  struct Header {
    std::uint32_t magic;
    std::uint16_t version, bytes;
    std::uint64_t size;
  };
  const char* data = static_cast<Wrapper*>(wrapper)->data;
  const auto* header = reinterpret_cast<const Header*>(data);
  return reinterpret_cast<void**>(read_fat_binary({data, header->size + header->bytes}).release());
}
void __cudaRegisterFatBinaryEnd(void**) {}
void __cudaUnregisterFatBinary(void**) {}
char __cudaInitModule(void**) { return 1; }
void __cudaRegisterFunction(void** binary, const char* host_function, char*, const char* name, int, void*,
                            void*, void*, void*, int*) {
  Registration& r = registrations()[host_function];
  r.binary = reinterpret_cast<FatBinary*>(binary);
  r.name = name;
}
// Kernels find the variables of their module, with their initial values, in its PTX. The host has no handle
// to them: functions such as cudaMemcpyToSymbol are not emulated.
void __cudaRegisterVar(void**, char*, char*, const char*, int, std::size_t, int, int) {}

}  // extern "C"
