// Which instruction sets Highway compiles the kernels for: the compiler's baseline, and chosen at run time
// AVX2 or AVX-512 (x86-64), NEON (Arm). Each one more would lengthen the build and gain little. Include
// before any Highway header.
#pragma once

#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SSE4 | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128)
