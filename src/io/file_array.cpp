#include "src/io/file_array.h"

#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "kernels/backend.h"
#include "kernels/check.h"
#include "src/io/file.h"

namespace gpuvae::io {
namespace {

bool same(const timespec& a, const timespec& b) { return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec; }

}  // namespace

FileArray::FileArray(const std::filesystem::path& path, ArrayLayout layout)
    : path_(path), layout_(std::move(layout)), elements_(1) {
  for (const std::int64_t extent : layout_.shape) elements_ *= static_cast<std::uint64_t>(extent);
  descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor_ < 0)
    fail(file_error("read"), "{}: expected a readable file, got: {}", path.string(), reason(errno));
  const bool known = ::fstat(descriptor_, &opened_) == 0;
  const auto size = static_cast<std::uint64_t>(opened_.st_size), data = size - std::min(size, layout_.offset);
  if (known && data == stored_bytes()) return;
  ::close(descriptor_);
  fail(file_error("read"), "{}: expected {} bytes of data, as its header says, got {}{}", path.string(),
       stored_bytes(), data, data < stored_bytes() ? ": the file is truncated" : "");
}

FileArray::~FileArray() { ::close(descriptor_); }

void FileArray::read(std::uint64_t first, std::span<std::uint8_t> out) const {
  std::uint64_t at = layout_.offset + first * layout_.element_size;
  while (!out.empty()) {
    const ssize_t got = ::pread(descriptor_, out.data(), out.size(), static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0)
      fail(file_error("read"), "{}: expected readable data, got: {}", path_.string(), reason(errno));
    if (got == 0) {
      check_unchanged();
      fail(file_error("read"), "{}: expected more than {} bytes, got the end of the file", path_.string(),
           at);
    }
    out = out.subspan(static_cast<std::size_t>(got));
    at += static_cast<std::uint64_t>(got);
  }
}

void FileArray::append(std::uint64_t first, std::size_t count, NpyArray& to) const {
  std::vector<std::uint8_t> stored(count * layout_.element_size);
  read(first, stored);
  layout_.append(stored, layout_.swapped, to);
}

bool FileArray::is_cached(std::uint64_t element) const {
  char byte = 0;
  const iovec to{&byte, 1};
  const auto at = static_cast<off_t>(layout_.offset + element * layout_.element_size);
  // Without RWF_NOWAIT, which some file systems do not support, the answer is "yes".
  return ::preadv2(descriptor_, &to, 1, at, RWF_NOWAIT) >= 0 || errno != EAGAIN;
}

void FileArray::prefetch(std::uint64_t first, std::uint64_t count) const {
  ::posix_fadvise(descriptor_, static_cast<off_t>(layout_.offset + first * layout_.element_size),
                  static_cast<off_t>(count * layout_.element_size), POSIX_FADV_WILLNEED);
}

void FileArray::check_unchanged() const {
  struct stat now {};
  if (::fstat(descriptor_, &now) != 0)
    fail(file_error("read"), "{}: expected a readable file, got: {}", path_.string(), reason(errno));
  if (now.st_size == opened_.st_size && same(now.st_mtim, opened_.st_mtim)) return;
  fail(file_error("read"),
       "{}: expected the file of {} bytes as it was when it was opened, got a changed one of {} bytes",
       path_.string(), opened_.st_size, now.st_size);
}

bool is_plain_file(const std::filesystem::path& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) return false;
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return false;
  std::array<std::uint8_t, 2> start{};
  const ssize_t got = ::pread(descriptor, start.data(), start.size(), 0);
  ::close(descriptor);
  return got == 2 && !(start[0] == 0x1F && start[1] == 0x8B);
}

void check_fits_memory(const std::filesystem::path& path, std::uint64_t bytes, std::string_view advice) {
  constexpr std::uint64_t kSmall = std::uint64_t{256} << 20, kMaxRatio = 1032;  // of DEFLATE
  constexpr double kGiB = 1 << 30;
  if (bytes <= kSmall) return;
  std::error_code error;
  const std::uint64_t size = std::filesystem::file_size(path, error);
  if (error || bytes / kMaxRatio > size) return;
  const std::uint64_t available = kernels::cpu_backend().available_memory();
  check(bytes <= available, file_error("read"),
        "{}: expected data within the available memory of {:.1f} GiB, got {:.1f} GiB: {}", path.string(),
        static_cast<double>(available) / kGiB, static_cast<double>(bytes) / kGiB, advice);
}

}  // namespace gpuvae::io
