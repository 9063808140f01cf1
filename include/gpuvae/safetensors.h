// Safetensors files (huggingface.co/docs/safetensors): named tensors and text metadata. PyTorch, JAX, Keras
// and NumPy programs write this format, and so do save_parameters() and save_checkpoint().
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "gpuvae/tensor.h"

#pragma GCC visibility push(default)
namespace gpuvae {

// A tensor of a file, as the file's header describes it.
struct TensorInfo {
  std::string name;                 // unique in the file
  std::string dtype;                // as in the file: "F32", "F16", "BF16", "I64", "BOOL", ...
  std::vector<std::int64_t> shape;  // any number of axes; empty for a single number
};

// Reads tensors one at a time, or only some rows of them, so that a file may be larger than memory. The
// constructor reads only the header. Copies share the open file. Any number of threads may read at the same
// time. The file is read and not mapped: a file that is cut short is then an error and not a signal. A file
// that another program replaces stays readable as it was.
class SafetensorsReader {
 public:
  // Opens the file. Throws Error "[read] path: reason" if it cannot be read, or unless its header is valid.
  // The file may be a model or a checkpoint of this library.
  explicit SafetensorsReader(const std::filesystem::path& path);
  // @{
  // Copies share the open file. There is no move, so no reader is ever without a file.
  SafetensorsReader(const SafetensorsReader&) = default;
  SafetensorsReader& operator=(const SafetensorsReader&) = default;
  // @}

  // The tensors in the order of the header.
  [[nodiscard]] const std::vector<TensorInfo>& tensors() const;
  // The text metadata.
  [[nodiscard]] const std::map<std::string, std::string>& metadata() const;
  // The path with which the file was opened.
  [[nodiscard]] const std::filesystem::path& path() const;
  // Returns the names that match one of the patterns, in which each "*" stands for any text: "encoder.*".
  [[nodiscard]] std::vector<std::string> names(std::span<const std::string> patterns) const;
  // Whether the file has a tensor of this name.
  [[nodiscard]] bool contains(const std::string& name) const;

  // Returns a tensor, converted to `dtype`: floats to f32, f64 or bf16, integers and booleans (0 and 1) to
  // every dtype. Floats are rounded to the nearest number. Throws Error that names the file and the tensor if
  // the file has no such tensor, if it has more than four axes, or if its elements cannot be converted:
  // floats to integers, finite numbers that would become infinite, and integers that the dtype does not
  // represent exactly.
  [[nodiscard]] Tensor read(const std::string& name, DType dtype = DType::f32,
                            Device device = Device::cpu()) const;
  // Like read(), for rows `first`, ..., `first + count - 1` of the first axis. Reads only their bytes.
  [[nodiscard]] Tensor read_rows(const std::string& name, std::int64_t first, std::int64_t count,
                                 DType dtype = DType::f32, Device device = Device::cpu()) const;

  // Reads the whole file and throws Error if it has the checksum that this library writes and its content
  // differs. Files of other programs have none. read() does not check it.
  void check_checksum() const;

 private:
  struct File;
  std::shared_ptr<const File> file_;
};

// Whether `text` matches a pattern in which each "*" stands for any text, also for none.
[[nodiscard]] bool matches_pattern(const std::string& text, const std::string& pattern);

// A tensor and its name in a file.
struct NamedTensor {
  std::string name;  // UTF-8, unique in the file
  Tensor tensor;     // of any dtype, on any device
};

// How write_safetensors() stores tensors of f32, f64 and bf16.
enum class StoredFloat : std::uint8_t { unchanged, f16, bf16, f32, f64 };

// Writes the tensors in the given order. The file is written completely or not at all, and is on the disk
// when the function returns. If the metadata have the key "checksum", its value is replaced by the checksum
// of the file, so that the metadata of another file can be passed on. Throws Error "[write] path: reason" if
// a tensor is undefined, if a name is duplicate, if text is not UTF-8, if a finite number would become
// infinite in `stored_float`, or if writing fails.
void write_safetensors(const std::filesystem::path& path, std::span<const NamedTensor> tensors,
                       const std::map<std::string, std::string>& metadata = {},
                       StoredFloat stored_float = StoredFloat::unchanged);

}  // namespace gpuvae
#pragma GCC visibility pop
