// Loads NVIDIA's libraries when they are first used. Otherwise a process that never uses them
// would load hundreds of megabytes.
#pragma once

#include <string>

namespace gpuvae::kernels {

struct ToolkitLibrary {
  const char* operation;                     // the operation that error messages name in brackets
  const char* name;                          // "cuBLASLt"
  const char* use;                           // start of the error message: "matrix products on the GPU need"
  const char* file;                          // "libcublasLt.so"
  int version;                               // the major version in the file's name
  const char* function;                      // any function, to detect a library that is loaded already
  const char* package = "the CUDA Toolkit";  // what installs the library
};

// Returns a handle for find_function(). Throws Error if the library cannot be loaded.
void* open_library(const ToolkitLibrary& library);

// Returns a function. Throws Error if the library lacks it.
void* find_function(const ToolkitLibrary& library, void* handle, const char* name);

template <class Function>
void find_function(const ToolkitLibrary& library, void* handle, const char* name, Function& function) {
  function = reinterpret_cast<Function>(find_function(library, handle, name));
}

}  // namespace gpuvae::kernels
