// ptxrun FILE lists the kernels of a PTX file, an object or a library, and the unsupported instructions.
#include <cstdio>

#include "library.h"
#include "machine.h"

namespace {

// Prints a kernel and returns the number of its refused instructions.
std::size_t list(const ptx::Module& module, const std::string& name) {
  const ptx::Kernel& k = module.kernel(name);
  std::printf(
      "%s: %zu instructions, %zu registers in %zu bytes per warp, %zu bytes of static shared memory, "
      "%zu bytes of local memory per thread, %zu parameters\n",
      name.c_str(), k.code.size(), k.syntax->registers.size(), k.register_bytes, k.static_shared,
      k.local_bytes, k.syntax->parameters.size());
  for (const std::string& refusal : k.refusals) std::printf("  %s\n", refusal.c_str());
  return k.refusals.size();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: ptxrun FILE\n");
    return 2;
  }
  try {
    std::size_t kernels = 0, refused = 0;
    for (const std::string& text : ptx::texts_of(argv[1])) {
      const ptx::Module module = ptx::Module::load(text);
      for (const std::string& name : module.kernels()) {
        refused += list(module, name);
        ++kernels;
      }
    }
    std::printf("%zu kernels, %zu unsupported instructions\n", kernels, refused);
    return refused == 0 ? 0 : 1;
  } catch (const ptx::Error& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
}
