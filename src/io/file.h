// Reads and writes whole files. Every failure throws Error "[read] path: reason" or "[write] path: reason".
#pragma once

#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace gpuvae::io {

// A file that appears at `path` complete or not at all. write() writes to `path.tmp-<pid>`, which commit()
// renames to `path`. Without commit(), the destructor removes the temporary file, and an older file at `path`
// stays unchanged. At most one AtomicFile per path may be open in a process.
class AtomicFile {
 public:
  explicit AtomicFile(std::filesystem::path path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(std::span<const std::byte> bytes);
  void write(std::string_view bytes);
  void commit();  // must be the last call

 private:
  void discard() noexcept;

  std::filesystem::path path_, temporary_;
  std::FILE* file_ = nullptr;
};

// Replaces the file at `path` completely or not at all (see AtomicFile).
void write_file(const std::filesystem::path& path, std::string_view bytes);

std::string read_file(const std::filesystem::path& path);

// Creates the folder and its missing parents, and checks that files can be created in it.
void make_folder(const std::filesystem::path& path);

}  // namespace gpuvae::io
