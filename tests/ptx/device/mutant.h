// Support for `make mutants`: changes one instruction, and records which test executes which instructions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace ptx {
struct Kernel;
}

namespace emulator {

// Attributes the kernels that run from now on to the test `name`. The file PTX_COVERAGE receives one line
// "test<TAB>kernel<TAB>lines" per test and kernel, where `lines` are ranges of executed PTX lines such as
// 3-9,12-12, counted from the kernel's .entry.
void set_running_test(const std::string& name);

namespace detail {

// Returns `text`, with the change that the file PTX_MUTANT describes if `text` contains the kernel that is to
// be changed. The lines of the file are
//   target 90            architecture of the PTX to change
//   kernel NAME          mangled name
//   line 123             counted from the line of the kernel's .entry, which is 0
//   old add.s32 %r1, %r2, 1;
//   new add.s32 %r1, %r2, 2;
// The process ends at once with status 70 if the line in `text` differs from `old`, and at exit with status
// 71 if nothing was changed. The exit statuses distinguish such runs from failed tests.
std::string apply_mutant(std::string text, int target);

// `executed` holds execution counts by place in the kernel's code.
void note_coverage(const ptx::Kernel& kernel, const std::vector<std::uint64_t>& executed);

// Adds bytes that the host has read from the device to a hash. The program writes the hash to the file
// PTX_DIGEST at exit. Runs with equal hashes have equal results.
void note_result(const void* bytes, std::size_t count);

}  // namespace detail
}  // namespace emulator
