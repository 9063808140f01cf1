#include "src/io/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
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

[[noreturn]] void fail_on(std::string_view operation, const fs::path& path, std::string_view why) {
  fail(file_error(operation), "{}: {}", path.empty() ? "(empty path)" : path.string(), why);
}

constexpr std::string_view kTemporary = "tmp";

// Some file systems do not support fsync(). That is not an error.
int sync_error(int descriptor) {
  if (::fsync(descriptor) == 0 || errno == EINVAL || errno == ENOTSUP) return 0;
  return errno;
}

fs::path beside(fs::path path, std::string_view tag) {
  path += fmt::format(".{}-{}", tag, ::getpid());
  return path;
}

// The file that a path names after all symbolic links, which need not exist. A rename would replace a link.
fs::path target_of(fs::path path) {
  constexpr int kMaxLinks = 40;  // the limit of Linux
  std::error_code error;
  for (int links = 0; fs::is_symlink(fs::symlink_status(path, error)); ++links) {
    if (links == kMaxLinks) fail_on("write", path, reason(ELOOP));
    path = path.parent_path() / fs::read_symlink(path, error);
  }
  return path;
}

}  // namespace

std::string reason(int error_number) { return std::generic_category().message(error_number); }

AtomicFile::AtomicFile(fs::path path, Sync sync)
    : path_(target_of(std::move(path))), temporary_(beside(path_, kTemporary)), sync_(sync) {
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
  if (error_number == 0 && sync_ == Sync::yes) error_number = sync_error(::fileno(file_));
  if (std::fclose(std::exchange(file_, nullptr)) != 0 && error_number == 0) error_number = errno;
  if (error_number == 0 && std::rename(temporary_.c_str(), path_.c_str()) != 0) error_number = errno;
  if (error_number != 0) {
    std::remove(temporary_.c_str());
    fail_on("write", path_, reason(error_number));
  }
  if (sync_ == Sync::yes) sync_folder(path_.parent_path());
}

void AtomicFile::discard() noexcept {
  if (!file_) return;
  std::fclose(std::exchange(file_, nullptr));
  std::remove(temporary_.c_str());
}

void write_file(const fs::path& path, std::string_view bytes, Sync sync) {
  AtomicFile file(path, sync);
  file.write(bytes);
  file.commit();
}

void sync_folder(const fs::path& path) {
  const fs::path folder = path.empty() ? fs::path(".") : path;
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) fail_on("write", folder, reason(errno));
  const int error_number = sync_error(descriptor);
  ::close(descriptor);
  if (error_number != 0) fail_on("write", folder, reason(error_number));
}

bool is_temporary_of(std::string_view name, std::string_view target) {
  if (!name.starts_with(target)) return false;
  name.remove_prefix(target.size());
  const std::string tag = fmt::format(".{}-", kTemporary);
  return name.starts_with(tag) && name.size() > tag.size() &&
         name.find_first_not_of("0123456789", tag.size()) == std::string_view::npos;
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

FilePart read_part(const fs::path& path, std::uint64_t offset, std::uint64_t count) {
  File file(std::fopen(path.c_str(), "rb"));
  struct stat status {};
  if (!file || ::fstat(::fileno(file.get()), &status) != 0) fail_on("read", path, reason(errno));
  if (S_ISDIR(status.st_mode)) fail_on("read", path, reason(EISDIR));
  FilePart part;
  part.file_size = static_cast<std::uint64_t>(status.st_size);
  if (offset >= part.file_size) return part;
  part.bytes.resize(std::min(count, part.file_size - offset));
  if (std::fseek(file.get(), static_cast<long>(offset), SEEK_SET) != 0) fail_on("read", path, reason(errno));
  part.bytes.resize(std::fread(part.bytes.data(), 1, part.bytes.size(), file.get()));
  if (std::ferror(file.get())) fail_on("read", path, reason(errno));
  return part;
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
