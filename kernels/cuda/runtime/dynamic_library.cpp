#include "kernels/cuda/runtime/dynamic_library.h"

#include <dlfcn.h>

#include <vector>

#include "kernels/check.h"
#include "kernels/log.h"

namespace gpuvae::kernels {

// If the process has loaded the library already, that copy is used, because two copies would not share their
// state.
void* open_library(const ToolkitLibrary& library) {
  if (dlsym(RTLD_DEFAULT, library.function)) return RTLD_DEFAULT;
  const std::string versioned = fmt::format("{}.{}", library.file, library.version);
  std::vector<std::string> names = {versioned};
#ifdef GPUVAE_CUDA_LIBRARY_DIR
  names.push_back(GPUVAE_CUDA_LIBRARY_DIR "/" + versioned);
#endif
  names.push_back(library.file);
  std::string problems;
  for (const std::string& name : names) {
    if (void* handle = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL)) {
      log_message(LogLevel::debug, library.operation, "loaded {}", name);
      return handle;
    }
    const char* problem = dlerror();
    problems += "; " + (problem ? std::string(problem) : name);
  }
  fail(unsupported(library.operation), "{} {}, which comes with {}, but it cannot be loaded{}", library.use,
       library.name, library.package, problems);
}

void* find_function(const ToolkitLibrary& library, void* handle, const char* name) {
  void* found = dlsym(handle, name);
  check(found != nullptr, unsupported(library.operation), "expected a {} that has {}, got one that lacks it",
        library.name, name);
  return found;
}

}  // namespace gpuvae::kernels
