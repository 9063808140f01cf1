// The instruction sets for which Highway compiles the kernels: the compiler's baseline and, chosen at run
// time, AVX2 or AVX-512 (x86-64) or NEON (Arm). More instruction sets would lengthen the build and gain
// little. Include this file before any Highway header.
#pragma once

#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SSE4 | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128)
