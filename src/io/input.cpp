#include "src/io/input.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include "kernels/check.h"

namespace gpuvae::io {

InputFile::InputFile(std::filesystem::path path, std::string_view operation)
    : path_(std::move(path)), operation_(operation), file_(nullptr, gzclose_r) {
  std::error_code error;
  const auto status = std::filesystem::status(path_, error);
  if (!std::filesystem::exists(status))
    fail(operation_, "{}: expected a file, got none ({})", path_.string(),
         error ? error.message() : "no such file");
  if (std::filesystem::is_directory(status))
    fail(operation_, "{}: expected a file, got a directory", path_.string());
  errno = 0;
  file_.reset(gzopen(path_.c_str(), "rb"));
  if (!file_) fail(operation_, "{}: expected a readable file, got: {}", path_.string(), std::strerror(errno));
}

std::size_t InputFile::read(std::span<std::uint8_t> out) {
  const int got = gzread(file_.get(), out.data(), static_cast<unsigned>(out.size()));
  int code = Z_OK;
  const char* reason = gzerror(file_.get(), &code);
  if (got < 0 || code < 0) {  // zlib begins its reason with the path; the error already names it
    const std::string prefix = path_.string() + ": ", text = code == Z_ERRNO ? std::strerror(errno) : reason;
    fail(operation_, "{}: expected {}, got: {}", path_.string(),
         code == Z_ERRNO ? "readable data" : "an intact gzip stream",
         text.starts_with(prefix) ? text.substr(prefix.size()) : text);
  }
  return static_cast<std::size_t>(got);
}

std::uint64_t InputFile::skip_rest() {
  std::array<std::uint8_t, 1 << 16> block;
  std::uint64_t bytes = 0;
  while (const std::size_t got = read(block)) bytes += got;
  return bytes;
}

}  // namespace gpuvae::io
