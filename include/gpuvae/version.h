// The version of the library: macros describe the headers that a program is compiled with, and a function the
// library that it is linked with.
#pragma once

#include "gpuvae/language.h"

// CMake reads the three numbers from here.
#define GPUVAE_VERSION_MAJOR 0
#define GPUVAE_VERSION_MINOR 1
#define GPUVAE_VERSION_PATCH 0

// The version as one number for comparisons, major * 10000 + minor * 100 + patch, as in
// `#if GPUVAE_VERSION >= 200`.
#define GPUVAE_VERSION (GPUVAE_VERSION_MAJOR * 10000 + GPUVAE_VERSION_MINOR * 100 + GPUVAE_VERSION_PATCH)

#pragma GCC visibility push(default)
namespace gpuvae {

// The version of the linked library, such as "0.1.0". The string is valid as long as the library is loaded.
// Any thread may call this function.
[[nodiscard]] const char* version();

}  // namespace gpuvae
#pragma GCC visibility pop
