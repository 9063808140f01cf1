// Whole files in and out. Every failure throws Error: "[read] path: reason" or "[write] path: reason".
#pragma once

#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace gpuvae::io {

// A file that appears under its name complete or not at all: bytes go to `path.tmp-<pid>` beside it, and
// commit() renames that. Without commit() the destructor removes it, and an older file at `path` stays.
// At most one AtomicFile may be open on a path in a process.
class AtomicFile {
 public:
  explicit AtomicFile(std::filesystem::path path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(std::span<const std::byte> bytes);
  void write(std::string_view bytes);
  void commit();  // the last call: nothing can be written after it

 private:
  void discard() noexcept;

  std::filesystem::path path_, temporary_;
  std::FILE* file_ = nullptr;
};

// Replaces the file at `path`, as AtomicFile does.
void write_file(const std::filesystem::path& path, std::string_view bytes);

std::string read_file(const std::filesystem::path& path);

// Creates the folder and its parents where missing, and checks that files can be created in it.
void make_folder(const std::filesystem::path& path);

}  // namespace gpuvae::io
