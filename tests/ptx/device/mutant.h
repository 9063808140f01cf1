// Support for `make mutants`: changes one instruction, and records which test runs which kernel.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace ptx {
struct Kernel;
}

namespace emulator {

// Kernels that run after this call belong to this test. PTX_COVERAGE=FILE receives a line
// "test<TAB>kernel<TAB>lines" for each of them, with the PTX lines that ran.
void set_running_test(const std::string& name);

namespace detail {

// Returns `text`. If PTX_MUTANT=FILE describes a change of a kernel that the text holds, the change is
// applied. The lines of the file are
//   target 90            of the text
//   kernel NAME          mangled
//   line 123             counted from the line of the kernel's .entry, which is 0
//   old add.s32 %r1, %r2, 1;
//   new add.s32 %r1, %r2, 2;
// The process ends at once with status 70 if the line differs from the old one, and at exit with status 71 if
// no text was changed. These statuses keep such runs from counting as failed tests.
std::string apply_mutant(std::string text, int target);

// `executed` holds execution counts by place in the kernel's code.
void note_coverage(const ptx::Kernel& kernel, const std::vector<std::uint64_t>& executed);

// PTX_DIGEST=FILE receives a hash at the end of the program that covers every byte the host has read from the
// device: runs with equal hashes had the same results.
void note_result(const void* bytes, std::size_t count);

}  // namespace detail
}  // namespace emulator
