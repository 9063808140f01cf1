#include "src/io/file.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>
#include <system_error>
#include <utility>

#include "kernels/check.h"

namespace gpuvae::io {
namespace {

namespace fs = std::filesystem;

struct Close {
  void operator()(std::FILE* file) const noexcept { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, Close>;

std::string reason(int error_number) { return std::generic_category().message(error_number); }

[[noreturn]] void fail_on(std::string_view operation, const fs::path& path, std::string_view why) {
  fail(file_error(operation), "{}: {}", path.empty() ? "(empty path)" : path.string(), why);
}

fs::path beside(fs::path path, std::string_view tag) {
  path += fmt::format(".{}-{}", tag, ::getpid());
  return path;
}

}  // namespace

AtomicFile::AtomicFile(fs::path path) : path_(std::move(path)), temporary_(beside(path_, "tmp")) {
  std::error_code unused;
  const fs::file_status target = fs::status(path_, unused);
  if (fs::is_directory(target)) fail_on("write", path_, reason(EISDIR));
  // The rename would replace a device or a pipe with a regular file.
  if (fs::exists(target) && !fs::is_regular_file(target)) fail_on("write", path_, "Not a regular file");
  file_ = std::fopen(temporary_.c_str(), "wb");
  if (!file_) fail_on("write", path_, reason(errno));
}

AtomicFile::~AtomicFile() { discard(); }

void AtomicFile::write(std::span<const std::byte> bytes) {
  check(file_ != nullptr, file_error("write"), "{}: expected an open file, got a closed one", path_.string());
  if (bytes.empty() || std::fwrite(bytes.data(), 1, bytes.size(), file_) == bytes.size()) return;
  const int error_number = errno;
  discard();
  fail_on("write", path_, reason(error_number));
}

void AtomicFile::write(std::string_view bytes) { write(std::as_bytes(std::span(bytes))); }

void AtomicFile::commit() {
  check(file_ != nullptr, file_error("write"), "{}: expected an open file, got a closed one", path_.string());
  int error_number = std::fflush(file_) == 0 ? 0 : errno;
  if (std::fclose(std::exchange(file_, nullptr)) != 0 && error_number == 0) error_number = errno;
  if (error_number == 0 && std::rename(temporary_.c_str(), path_.c_str()) != 0) error_number = errno;
  if (error_number == 0) return;
  std::remove(temporary_.c_str());
  fail_on("write", path_, reason(error_number));
}

void AtomicFile::discard() noexcept {
  if (!file_) return;
  std::fclose(std::exchange(file_, nullptr));
  std::remove(temporary_.c_str());
}

void write_file(const fs::path& path, std::string_view bytes) {
  AtomicFile file(path);
  file.write(bytes);
  file.commit();
}

std::string read_file(const fs::path& path) {
  File file(std::fopen(path.c_str(), "rb"));
  if (!file) fail_on("read", path, reason(errno));
  std::string bytes;
  std::array<char, 1 << 16> block;
  while (const std::size_t got = std::fread(block.data(), 1, block.size(), file.get()))
    bytes.append(block.data(), got);
  if (std::ferror(file.get())) fail_on("read", path, reason(errno));
  return bytes;
}

void make_folder(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) fail_on("write", path, error.message());
  // Permission bits do not show read-only mounts and quotas, so a file is created as a test.
  const fs::path probe = beside(path / "", "probe");
  if (!File(std::fopen(probe.c_str(), "wb"))) fail_on("write", path, reason(errno));
  std::remove(probe.c_str());
}

}  // namespace gpuvae::io
