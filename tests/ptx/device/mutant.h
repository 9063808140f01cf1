// What `make mutants` asks of the emulated device: one changed instruction, and which test runs which kernel.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace ptx {
struct Kernel;
}

namespace emulator {

// Kernels that run from here on belong to this test: PTX_COVERAGE=FILE gets a line "test<TAB>kernel" for
// each.
void set_running_test(const std::string& name);

namespace detail {

// `text`, with the change that PTX_MUTANT=FILE describes if it holds that kernel. The file's lines are
//   target 90            of the text
//   kernel NAME          mangled
//   line 123             counted from the line of the kernel's .entry, which is 0
//   old add.s32 %r1, %r2, 1;
//   new add.s32 %r1, %r2, 2;
// The process ends at once with status 70 if the line is not the old one, and at its end if no text was
// changed: neither may be taken for a test that fails.
std::string apply_mutant(std::string text, int target);

// `executed` counts by place in the kernel's code.
void note_coverage(const ptx::Kernel& kernel, const std::vector<std::uint64_t>& executed);

// PTX_DIGEST=FILE gets a number at the end of the program that depends on every byte that the host has read
// from the device: runs with one number had the same results.
void note_result(const void* bytes, std::size_t count);

}  // namespace detail
}  // namespace emulator
