// ptxrun FILE: which kernels a PTX file, object or library holds, and which of their instructions cannot be
// run.
#include <cstdio>
#include <fstream>
#include <iterator>

#include "library.h"
#include "machine.h"

int main(int argc, char** argv) {
  if (argc < 2) return std::fprintf(stderr, "usage: ptxrun FILE\n"), 2;
  int bad = 0;
  try {
    for (const std::string& text : ptx::texts_of(argv[1])) {
      const ptx::Module m = ptx::Module::load(text);
      for (const std::string& name : m.kernels()) {
        const ptx::Kernel& k = m.kernel(name);
        std::printf(
            "%s: %zu instructions, %zu registers in %zu bytes a warp, %zu bytes static shared, %zu local, "
            "%zu parameters\n",
            name.c_str(), k.code.size(), k.syntax->registers.size(), k.register_bytes, k.static_shared,
            k.local_bytes, k.syntax->parameters.size());
        for (const std::string& u : m.unsupported(name)) std::printf("  unsupported: %s\n", u.c_str()), ++bad;
      }
    }
  } catch (const ptx::Error& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
  return bad ? 1 : 0;
}
