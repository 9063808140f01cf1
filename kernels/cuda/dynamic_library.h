// Libraries of the CUDA Toolkit that are loaded when they are first used: a process that never uses them
// would otherwise load hundreds of megabytes.
#pragma once

#include <string>

namespace gpuvae::kernels {

struct ToolkitLibrary {
  const char* operation;  // for messages
  const char* name;       // "cuBLASLt"
  const char* use;        // what needs it: "matrix products on the GPU need"
  const char* file;       // "libcublasLt.so"
  int version;            // of the file's name
  const char* function;   // any of the library, to see whether the process has it already
};

// A handle for find_function. Throws Error if none loads.
void* open_library(const ToolkitLibrary& library);

// Throws Error if the library lacks the function.
void* find_function(const ToolkitLibrary& library, void* handle, const char* name);

template <class Function>
void find_function(const ToolkitLibrary& library, void* handle, const char* name, Function& function) {
  function = reinterpret_cast<Function>(find_function(library, handle, name));
}

}  // namespace gpuvae::kernels
