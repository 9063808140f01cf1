// Arrays of numbers that stay in their file, for files that are larger than memory.
//
// The file is read with pread() and not mapped. Rows in a random order, as in training, then take half the
// time: to keep a mapping from occupying memory, its pages must be dropped again and again, and each one
// costs a page fault. A file that is cut short gives an error instead of SIGBUS.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <vector>

#include "src/io/npy.h"

namespace gpuvae::io {

// How the elements of an array are stored in its file.
struct ArrayLayout {
  std::vector<std::int64_t> shape;  // row-major
  std::uint64_t offset = 0;         // of the first element, in bytes
  std::size_t element_size = 1;     // in bytes
  bool swapped = false;             // whether the order of an element's bytes is that of other machines
  bool bytes = true;                // see NpyArray
  bool integers = true;             // see NpyArray
  // Whether the stored bytes are those of the vector (u8, f32 or f64) that `append` extends.
  bool plain = true;
  // Converts stored elements and appends them to one of the vectors of an array.
  void (*append)(std::span<const std::uint8_t> stored, bool swapped, NpyArray& to) = nullptr;
};

// Any number of threads may use an array at the same time.
class FileArray {
 public:
  // Opens the file. Throws Error "[read] path: reason" if that fails, and unless the file has `layout.offset`
  // bytes and then exactly the elements of the layout.
  FileArray(const std::filesystem::path& path, ArrayLayout layout);
  ~FileArray();
  FileArray(const FileArray&) = delete;
  FileArray& operator=(const FileArray&) = delete;

  const ArrayLayout& layout() const { return layout_; }
  std::uint64_t elements() const { return elements_; }
  std::uint64_t stored_bytes() const { return elements_ * layout_.element_size; }
  // Reads the stored bytes of the elements from number `first` on. Throws Error if the file has become
  // shorter or cannot be read.
  void read(std::uint64_t first, std::span<std::uint8_t> out) const;
  // Appends elements `first`, ..., `first + count - 1` to `to`.
  void append(std::uint64_t first, std::size_t count, NpyArray& to) const;
  // Whether the system has an element in memory, as far as it can say so without waiting.
  bool is_cached(std::uint64_t element) const;
  // Asks the system to read elements from the disk without waiting for them.
  void prefetch(std::uint64_t first, std::uint64_t count) const;
  // Throws Error if the file has been written to since it was opened, as far as its size and its time of
  // modification show.
  void check_unchanged() const;

 private:
  std::filesystem::path path_;
  ArrayLayout layout_;
  std::uint64_t elements_ = 0;
  int descriptor_ = -1;
  struct stat opened_ {};
};

// Returns the array of an NPY file, or null if the file must be read as a whole: if it is compressed, not a
// regular file, or in Fortran order. Throws the errors of read_npy.
std::shared_ptr<const FileArray> open_npy(const std::filesystem::path& path);
// Returns the images of an IDX file as u8 [count, rows, columns], or null if the file must be read as a
// whole. Throws the errors of read_idx_images.
std::shared_ptr<const FileArray> open_idx_images(const std::filesystem::path& path);

// Whether the file is uncompressed and can be read at any position.
bool is_plain_file(const std::filesystem::path& path);

// Throws Error "[read] path: reason" if `bytes` of numbers, which a file of data says it has, do not fit in
// the memory that is available. Small arrays always fit. `advice` says what to do instead. A claim that the
// size of the file rules out passes: reading then finds that the file is damaged.
void check_fits_memory(const std::filesystem::path& path, std::uint64_t bytes, std::string_view advice);

}  // namespace gpuvae::io
