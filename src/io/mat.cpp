#include "src/io/mat.h"

#include <dlfcn.h>
#include <matio.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <iterator>
#include <memory>
#include <string_view>
#include <utility>

#include "kernels/check.h"
#include "src/io/file.h"

namespace gpuvae::io {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kHeader = 128, kTag = 8;
constexpr std::size_t kLongestHead = 1 << 12;            // first bytes of a variable, with its sizes and name
constexpr std::uint32_t kMatrix = 14, kCompressed = 15;  // types of top-level elements

std::uint32_t word_at(std::string_view bytes, std::size_t at, bool swapped) {
  std::uint32_t word = 0;
  std::memcpy(&word, bytes.data() + at, sizeof word);
  return swapped ? __builtin_bswap32(word) : word;
}

// Version 4 files have no signature, so this function checks the five words that begin a matrix: type, rows,
// columns, imaginary flag and length of the name.
bool looks_like_version_4(std::string_view bytes) {
  if (bytes.size() < 20) return false;
  for (const bool swapped : {false, true}) {
    const auto word = [&](std::size_t i) { return word_at(bytes, 4 * i, swapped); };
    const std::uint32_t type = word(0);
    const bool possible = type / 1000 <= 4 && type / 100 % 10 == 0 && type / 10 % 10 <= 5 && type % 10 <= 2;
    const std::uint32_t most = 1u << 28;
    if (possible && word(1) - 1 < most && word(2) - 1 < most && word(3) <= 1 && word(4) - 2 < 64) return true;
  }
  return false;
}

// Throws Error unless this is a file of version 5 to 7. Returns whether its byte order differs from the
// machine's.
bool check_version(const fs::path& path, std::string_view bytes) {
  check(!bytes.empty(), file_error("read"), "{}: expected a MATLAB file, got an empty one", path.string());
  constexpr std::string_view kHdf5 = "\x89HDF\r\n\x1a\n";
  if (bytes.starts_with(kHdf5) || bytes.starts_with("MATLAB 7.3") ||
      (bytes.size() >= 512 && bytes.substr(512).starts_with(kHdf5)))
    fail(
        file_error("read"),
        "{}: MATLAB 7.3 (HDF5) file: save it again in MATLAB with save(..., '-v7'), or convert it in Python: "
        "read it with h5py, write it with scipy.io.savemat",
        path.string());
  const bool header = bytes.size() >= kHeader;
  const std::string_view order = header ? bytes.substr(126, 2) : std::string_view();
  if (order != "IM" && order != "MI") {
    if (looks_like_version_4(bytes))
      fail(file_error("read"),
           "{}: MATLAB 4 file: save it again in MATLAB with save(..., '-v7'), or convert it in Python: "
           "scipy.io.loadmat, then scipy.io.savemat",
           path.string());
    check(!bytes.starts_with("MATLAB 5.0 MAT-file"), file_error("read"),
          "{}: truncated: expected a header of {} bytes, got {}", path.string(), kHeader, bytes.size());
    fail(file_error("read"), "{}: not a MATLAB file", path.string());
  }
  std::uint16_t mark = 0, version = 0;
  std::memcpy(&version, bytes.data() + 124, 2);
  std::memcpy(&mark, bytes.data() + 126, 2);
  const bool swapped = mark != ('M' << 8 | 'I');
  if (swapped) version = __builtin_bswap16(version);
  check(version == 0x0100, file_error("read"),
        "{}: expected a MATLAB file of version 5 to 7, got version {:#06x}", path.string(), version);
  return swapped;
}

// A top-level element after decompression: its first bytes, including the tag, and its size in bytes.
struct Element {
  std::string head;
  std::size_t size = 0;
};

// Throws Error unless the compressed data are intact. Only the first bytes are kept, so memory use does not
// grow with the data.
Element unpack(const fs::path& path, std::string_view packed) {
  z_stream stream{};
  check(inflateInit(&stream) == Z_OK, file_error("read"), "{}: out of memory", path.string());
  const std::unique_ptr<z_stream, int (*)(z_stream*)> guard(&stream, inflateEnd);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  std::array<char, 1 << 16> block;
  Element element;
  for (int status = Z_OK; status != Z_STREAM_END;) {
    stream.next_out = reinterpret_cast<Bytef*>(block.data());
    stream.avail_out = static_cast<uInt>(block.size());
    status = inflate(&stream, Z_NO_FLUSH);
    check(status == Z_OK || status == Z_STREAM_END, file_error("read"), "{}: damaged: compressed data: {}",
          path.string(), stream.msg ? stream.msg : "unexpected end");
    const std::size_t got = block.size() - stream.avail_out;
    if (element.head.size() < kLongestHead) element.head.append(block.data(), std::min(got, kLongestHead));
    element.size += got;
  }
  return element;
}

// Iterates over the parts of a matrix: flags, sizes, name, data. Throws Error instead of reading beyond the
// element.
class Parts {
 public:
  Parts(const fs::path& path, const Element& element, bool swapped)
      : path_(path), element_(element), swapped_(swapped) {}

  // Advances past the next part and returns the offset and the size of its bytes. The bytes of the data may
  // be beyond the head.
  std::pair<std::size_t, std::size_t> next() {
    const std::uint32_t first = word(at_);
    const bool small = first >> 16 != 0;  // up to four bytes are stored in the tag
    const std::size_t size = small ? first >> 16 : word(at_ + 4), from = at_ + (small ? 4 : kTag);
    check(size <= (small ? 4 : element_.size - std::min(element_.size, from)), file_error("read"),
          "{}: damaged: a part of a variable has {} bytes, more than remain", path_.string(), size);
    at_ = small ? at_ + kTag : from + (size + 7) / 8 * 8;
    return {from, size};
  }
  std::uint32_t word(std::size_t at) const {
    check(at + 4 <= element_.head.size(), file_error("read"), "{}: damaged: unexpected end of a variable",
          path_.string());
    return word_at(element_.head, at, swapped_);
  }

 private:
  const fs::path& path_;
  const Element& element_;
  bool swapped_;
  std::size_t at_ = kTag;
};

// A uint8 matrix must have as many bytes as its sizes say. Other classes are never read, so they are not
// checked; some writers give them wrong sizes.
void check_matrix(const fs::path& path, const Element& element, bool swapped) {
  check(element.size >= kTag && word_at(element.head, 0, swapped) == kMatrix, file_error("read"),
        "{}: damaged: no variable in {} bytes of compressed data", path.string(), element.size);
  if (element.size == kTag) return;  // an empty matrix
  Parts parts(path, element, swapped);
  const std::uint32_t kind = parts.word(parts.next().first) & 255;
  const bool nested = kind == MAT_C_CELL || kind == MAT_C_STRUCT || kind == MAT_C_OBJECT;
  if (kind != MAT_C_UINT8 && !nested) return;
  const auto [sizes_at, sizes_bytes] = parts.next();
  double count = 1;
  for (std::size_t i = 0; i + 4 <= sizes_bytes; i += 4) count *= parts.word(sizes_at + i);
  parts.next();  // the name
  if (nested) {
    if (kind != MAT_C_CELL) {  // the names of the members
      parts.next();
      parts.next();
    }
    // libmatio iterates over as many members as the sizes claim.
    check(count <= static_cast<double>(element.size), file_error("read"),
          "{}: damaged: {} members in {} bytes", path.string(), count, element.size);
    return;
  }
  const std::size_t claimed = kTag + word_at(element.head, 4, swapped);
  check(claimed == element.size, file_error("read"), "{}: damaged: expected a variable of {} bytes, got {}",
        path.string(), claimed, element.size);
  const std::size_t bytes = parts.next().second;
  check(static_cast<double>(bytes) == count, file_error("read"),
        "{}: damaged: expected {} bytes of data, as a variable's sizes say, got {}", path.string(), count,
        bytes);
}

// libmatio does not validate its input, so the file is checked first: the elements must fill it exactly.
void check_elements(const fs::path& path, std::string_view bytes, bool swapped) {
  for (std::size_t at = kHeader; at < bytes.size();) {
    const std::size_t left = bytes.size() - at;
    check(left >= kTag, file_error("read"),
          "{}: truncated: expected a variable, got only {} bytes at offset {}", path.string(), left, at);
    const std::uint32_t type = word_at(bytes, at, swapped), size = word_at(bytes, at + 4, swapped);
    check(type == kMatrix || type == kCompressed, file_error("read"),
          "{}: damaged: no variable begins at byte {}", path.string(), at);
    check(size <= left - kTag, file_error("read"),
          "{}: truncated: the variable at byte {} has {} bytes, {} remain", path.string(), at, size,
          left - kTag);
    const std::string_view element = bytes.substr(at, kTag + size);
    check_matrix(path,
                 type == kCompressed ? unpack(path, element.substr(kTag))
                                     : Element{std::string(element.substr(0, kLongestHead)), element.size()},
                 swapped);
    at += element.size();
  }
}

std::string_view class_name(const matvar_t& v) {
  constexpr std::string_view kNames[] = {"empty",  "cell",   "struct", "object", "char",    "sparse",
                                         "double", "single", "int8",   "uint8",  "int16",   "uint16",
                                         "int32",  "uint32", "int64",  "uint64", "function"};
  if (v.isLogical) return "logical";
  if (v.class_type == MAT_C_UINT8 && v.isComplex) return "complex uint8";
  const auto i = static_cast<std::size_t>(v.class_type);
  return i < std::size(kNames) ? kNames[i] : "another class";
}

std::string shape_text(const matvar_t& v) {
  std::string text;
  for (int i = 0; i < std::min(v.rank, 8); ++i) text += fmt::format("{}{}", i == 0 ? "" : " x ", v.dims[i]);
  return text;
}

// Formats names for messages as "'a', 'b'": at most eight names, shortened, with printable characters only.
std::string names_text(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < names.size() && i < 8; ++i) {
    std::string name = names[i].substr(0, 63);
    std::replace_if(
        name.begin(), name.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
    text += fmt::format("{}'{}'", i == 0 ? "" : ", ", name);
  }
  if (names.size() > 8) text += ", ...";
  return text.empty() ? "no variables" : text;
}

// libmatio depends on HDF5 and some thirty other libraries, which would double the start-up time of every
// program. It is therefore loaded when it is first used.
struct Matio {
  decltype(&Mat_Open) open;
  decltype(&Mat_Close) close;
  decltype(&Mat_VarReadNextInfo) read_next_info;
  decltype(&Mat_VarReadDataAll) read_data_all;
  decltype(&Mat_VarFree) free;
};

template <class Function>
void find_function(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  check(function != nullptr, unsupported("read"), "expected a libmatio that has {}, got one that lacks it",
        name);
}

Matio load_matio() {
  void* library = nullptr;
  for (const char* name : {GPUVAE_MATIO_LIBRARY, GPUVAE_MATIO_SONAME})
    if (!library) library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
  check(library != nullptr, unsupported("read"), "MATLAB files require libmatio, which cannot be loaded: {}",
        dlerror());
  Matio matio{};
  find_function(library, "Mat_Open", matio.open);
  find_function(library, "Mat_Close", matio.close);
  find_function(library, "Mat_VarReadNextInfo", matio.read_next_info);
  find_function(library, "Mat_VarReadDataAll", matio.read_data_all);
  find_function(library, "Mat_VarFree", matio.free);
  return matio;
}

const Matio& matio() {
  static const Matio functions = load_matio();
  return functions;
}

using File = std::unique_ptr<mat_t, decltype(&Mat_Close)>;
using Matrix = std::unique_ptr<matvar_t, decltype(&Mat_VarFree)>;

Matrix find(const fs::path& path, mat_t* file, const std::string& variable) {
  std::vector<std::string> names;
  const auto read_next = matio().read_next_info;
  for (Matrix next(read_next(file), matio().free); next; next.reset(read_next(file))) {
    names.emplace_back(next->name ? next->name : "");
    if (names.back() == variable) return next;
  }
  fail(file_error("read"), "{}: expected a variable '{}', got {}", path.string(), variable,
       names_text(names));
}

}  // namespace

MatBytes read_mat_u8(const fs::path& path, const std::string& variable) {
  {
    const std::string bytes = read_file(path);
    check_elements(path, bytes, check_version(path, bytes));
  }
  // libmatio logs nothing unless Mat_LogInit() was called, so every problem is reported here and only once.
  const File file(matio().open(path.c_str(), MAT_ACC_RDONLY), matio().close);
  check(file != nullptr, file_error("read"), "{}: not a MATLAB file that libmatio can open", path.string());
  const Matrix matrix = find(path, file.get(), variable);
  check(matrix->class_type == MAT_C_UINT8 && !matrix->isComplex && !matrix->isLogical, file_error("read"),
        "{}: expected '{}' to be uint8, got {}", path.string(), variable, class_name(*matrix));
  check(matrix->rank == 2 && matrix->dims[0] > 0 && matrix->dims[1] > 0, file_error("read"),
        "{}: expected '{}' to be a matrix with elements, got {}", path.string(), variable,
        shape_text(*matrix));
  MatBytes result{static_cast<std::int64_t>(matrix->dims[0]), static_cast<std::int64_t>(matrix->dims[1]), {}};
  const std::size_t count = matrix->dims[0] * matrix->dims[1];
  const bool read = matio().read_data_all(file.get(), matrix.get()) == 0 && matrix->data != nullptr;
  check(read && matrix->nbytes == count, file_error("read"), "{}: damaged: the data of '{}' are not {} bytes",
        path.string(), variable, count);
  const auto* values = static_cast<const std::uint8_t*>(matrix->data);
  result.values.assign(values, values + count);
  return result;
}

}  // namespace gpuvae::io
