// Reads and writes whole files. Every failure throws Error "[read] path: reason" or "[write] path: reason".
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace gpuvae::io {

// Returns the system's text for an error number (errno).
std::string reason(int error_number);

// Whether a written file survives a loss of power. `yes` waits for the disk; `no` suits files that are
// written often and whose last version may be lost.
enum class Sync : bool { no, yes };

// A file that appears at `path` complete or not at all. If `path` is a symbolic link, the file that it names
// is written, and the link stays. write() writes to `path.tmp-<pid>`, and commit()
// renames this file to `path`. With Sync::yes, the bytes are on the disk before the rename, and the new name
// is on the disk when commit() returns. Without commit(), the destructor removes the temporary file, and an
// older file at `path` stays unchanged. At most one AtomicFile per path may be open in a process.
class AtomicFile {
 public:
  explicit AtomicFile(std::filesystem::path path, Sync sync = Sync::yes);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(std::span<const std::byte> bytes);
  void write(std::string_view bytes);
  void commit();  // must be the last call

 private:
  void discard() noexcept;

  std::filesystem::path path_, temporary_;
  Sync sync_;
  std::FILE* file_ = nullptr;
};

// Replaces the file at `path` completely or not at all (see AtomicFile).
void write_file(const std::filesystem::path& path, std::string_view bytes, Sync sync = Sync::yes);

// Waits until the names of a folder's files are on the disk. Call it after a rename.
void sync_folder(const std::filesystem::path& path);

std::string read_file(const std::filesystem::path& path);

// A part of a file. It is shorter than requested if the file ends first.
struct FilePart {
  std::string bytes;
  std::uint64_t file_size = 0;  // bytes in the whole file
};
FilePart read_part(const std::filesystem::path& path, std::uint64_t offset, std::uint64_t count);

// Whether `name` is the name of a temporary file that an AtomicFile for `target` writes, or that it left when
// its process was killed.
bool is_temporary_of(std::string_view name, std::string_view target);

// Creates the folder and its missing parents, and checks that files can be created in it.
void make_folder(const std::filesystem::path& path);

}  // namespace gpuvae::io
