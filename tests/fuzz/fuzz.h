// What the fuzz targets share. A target is a file of this folder with LLVMFuzzerTestOneInput, which gives the
// bytes of a damaged file to a reader of the project and checks the result. An Error is the right answer to
// damaged bytes. Any other exception, a violated property or a report of a sanitizer is a finding.
#pragma once

#include <cstdint>
#include <exception>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "gpuvae/error.h"

namespace gpuvae::fuzz {

// Ends the process unless the condition holds. `property` says what the reader promises.
void require(bool condition, std::string_view property);

// Requires one line without control characters, because files must not control the user's terminal.
void require_one_line(std::string_view message);

// Writes an input file, replacing the one of the previous call with this name, and returns its path. The
// folder is in memory where the system has /dev/shm, and is removed when the process ends.
std::filesystem::path input_file(std::string_view bytes, const std::string& name = "input");
inline std::filesystem::path input_file(std::span<const std::uint8_t> bytes,
                                        const std::string& name = "input") {
  return input_file({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, name);
}

// Returns a gzip stream of the bytes.
std::string gzip(std::string_view bytes);
// Whether the bytes begin like a gzip stream, which readers unpack.
bool is_gzip(std::span<const std::uint8_t> bytes);

// Calls work() and returns whether it threw no Error.
template <class Work>
bool accepts(Work&& work) {
  try {
    work();
    return true;
  } catch (const Error& error) {
    require_one_line(error.what());
    return false;
  }
}

}  // namespace gpuvae::fuzz
