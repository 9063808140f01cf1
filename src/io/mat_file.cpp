#include "src/io/mat_file.h"

#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <memory>

#include "kernels/check.h"
#include "src/io/file.h"
#include "src/io/printable.h"

namespace gpuvae::io {
namespace {

constexpr std::size_t kHeader = 128, kTag = 8;
constexpr std::size_t kLongestHead = 1 << 12;            // most bytes read for a variable's sizes and name
constexpr std::uint32_t kMatrix = 14, kCompressed = 15;  // types of top-level elements
constexpr std::uint32_t kOpaque = 17;                    // class of MATLAB's objects, which have no sizes

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
bool check_version(const std::string& path, std::string_view bytes) {
  check(!bytes.empty(), file_error("read"), "{}: expected a MATLAB file, got an empty one", path);
  constexpr std::string_view kHdf5 = "\x89HDF\r\n\x1a\n";
  if (bytes.starts_with(kHdf5) || bytes.starts_with("MATLAB 7.3") ||
      (bytes.size() >= 512 && bytes.substr(512).starts_with(kHdf5)))
    fail(file_error("read"),
         "{}: MATLAB 7.3 (HDF5) file: save it again in MATLAB with save('x.mat', '-v7'), or convert it in "
         "Python: "
         "read it with h5py, write it with numpy.save or scipy.io.savemat",
         path);
  const bool header = bytes.size() >= kHeader;
  const std::string_view order = header ? bytes.substr(126, 2) : std::string_view();
  if (order != "IM" && order != "MI") {
    if (looks_like_version_4(bytes))
      fail(file_error("read"),
           "{}: MATLAB 4 file: save it again in MATLAB with save('x.mat', '-v7'), or convert it in Python: "
           "read it "
           "with scipy.io.loadmat, write it with numpy.save or scipy.io.savemat",
           path);
    check(!bytes.starts_with("MATLAB 5.0 MAT-file"), file_error("read"),
          "{}: truncated: expected a header of {} bytes, got {}", path, kHeader, bytes.size());
    fail(file_error("read"), "{}: not a MATLAB file", path);
  }
  std::uint16_t mark = 0, version = 0;
  std::memcpy(&version, bytes.data() + 124, 2);
  std::memcpy(&mark, bytes.data() + 126, 2);
  const bool swapped = mark != ('M' << 8 | 'I');
  if (swapped) version = __builtin_bswap16(version);
  check(version == 0x0100, file_error("read"),
        "{}: expected a MATLAB file of version 5 to 7, got version {:#06x}", path, version);
  return swapped;
}

// Unpacks at most `most` bytes. `finished` receives whether the stream ended there, with the right checksum.
std::string unpack(const std::string& path, std::string_view packed, std::size_t most, bool& finished) {
  constexpr std::size_t kBlock = 1 << 30;  // zlib counts in 32 bits
  z_stream stream{};
  check(inflateInit(&stream) == Z_OK, file_error("read"), "{}: out of memory", path);
  const std::unique_ptr<z_stream, int (*)(z_stream*)> guard(&stream, inflateEnd);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  std::string content(most, '\0');
  std::size_t got = 0;
  finished = false;
  while (!finished && got < most) {
    const std::size_t room = std::min(kBlock, most - got);
    stream.next_out = reinterpret_cast<Bytef*>(content.data() + got);
    stream.avail_out = static_cast<uInt>(room);
    const int status = inflate(&stream, Z_NO_FLUSH);
    check(status == Z_OK || status == Z_STREAM_END, file_error("read"), "{}: damaged: compressed data: {}",
          path, stream.msg != nullptr ? stream.msg : "unexpected end");
    got += room - stream.avail_out;
    finished = status == Z_STREAM_END;
  }
  content.resize(got);
  return content;
}

// Iterates over the parts of a variable. `bytes` may be only the beginning of the variable; reading beyond
// `bytes` throws Error.
class Parts {
 public:
  Parts(const std::string& path, std::string_view bytes, bool swapped)
      : path_(path), bytes_(bytes), swapped_(swapped) {}

  MatPart next() {
    const std::uint32_t first = word(at_);
    const bool small = first >> 16 != 0;  // up to four bytes are stored in the tag
    const std::size_t size = small ? first >> 16 : word(at_ + 4), from = at_ + (small ? 4 : kTag);
    check(size <= (small ? 4 : bytes_.size() - std::min(bytes_.size(), from)), file_error("read"),
          "{}: damaged: a part of a variable has {} bytes, more than remain", path_, size);
    at_ = small ? at_ + kTag : from + (size + 7) / 8 * 8;
    return {small ? first & 0xFFFF : first, bytes_.substr(from, size)};
  }

 private:
  std::uint32_t word(std::size_t at) const {
    check(at + 4 <= bytes_.size(), file_error("read"), "{}: damaged: unexpected end of a variable", path_);
    return word_at(bytes_, at, swapped_);
  }

  const std::string& path_;
  std::string_view bytes_;
  bool swapped_;
  std::size_t at_ = kTag;
};

}  // namespace

std::string MatVariable::class_name() const {
  constexpr std::string_view kNames[] = {"empty",  "cell",   "struct", "object", "char",     "sparse",
                                         "double", "single", "int8",   "uint8",  "int16",    "uint16",
                                         "int32",  "uint32", "int64",  "uint64", "function", "object"};
  if (logical) return kind == 5 ? "sparse logical" : "logical";
  const std::string_view base = kind < std::size(kNames) ? kNames[kind] : "unknown class";
  return fmt::format("{}{}", complex ? "complex " : "", base);
}

std::string MatVariable::text() const {
  std::string text = fmt::format("'{}' ({}", printable(name.substr(0, 63)), class_name());
  for (std::size_t i = 0; i < shape.size() && i < 8; ++i)
    text += fmt::format("{}{}", i == 0 ? ", " : " x ", shape[i]);
  return text + ")";
}

MatFile::MatFile(const std::filesystem::path& path) : path_(path.string()), bytes_(read_file(path)) {
  swapped_ = check_version(path_, bytes_);
  find_variables();
}

// The top-level elements must fill the file exactly.
void MatFile::find_variables() {
  const std::string_view bytes = bytes_;
  for (std::size_t at = kHeader; at < bytes.size();) {
    const std::size_t left = bytes.size() - at;
    check(left >= kTag, file_error("read"),
          "{}: truncated: expected a variable, got only {} bytes at offset {}", path_, left, at);
    const std::uint32_t type = word_at(bytes, at, swapped_), size = word_at(bytes, at + 4, swapped_);
    check(type == kMatrix || type == kCompressed, file_error("read"),
          "{}: damaged: no variable begins at byte {}", path_, at);
    check(size <= left - kTag, file_error("read"),
          "{}: truncated: the variable at byte {} has {} bytes, {} remain", path_, at, size, left - kTag);
    const bool compressed = type == kCompressed;
    add_variable(compressed ? bytes.substr(at + kTag, size) : bytes.substr(at, kTag + size), compressed);
    at += kTag + size;
  }
}

void MatFile::add_variable(std::string_view content, bool compressed) {
  bool finished = true;
  const std::string unpacked = compressed ? unpack(path_, content, kLongestHead, finished) : std::string();
  const std::string_view head = compressed ? std::string_view(unpacked) : content;
  check(head.size() >= kTag && word_at(head, 0, swapped_) == kMatrix, file_error("read"),
        "{}: damaged: no variable in {} bytes of compressed data", path_, head.size());
  if (finished && head.size() == kTag) return;  // an empty matrix without a name
  MatVariable variable;
  variable.content = content;
  variable.compressed = compressed;
  Parts parts(path_, head, swapped_);
  const MatPart flags = parts.next();
  check(flags.bytes.size() == 8, file_error("read"), "{}: damaged: a variable has flags of {} bytes", path_,
        flags.bytes.size());
  const std::uint32_t word = word_at(flags.bytes, 0, swapped_);
  variable.kind = word & 0xFF;
  variable.logical = (word & 0x200) != 0;
  variable.complex = (word & 0x800) != 0;
  if (variable.kind != kOpaque) {
    const MatPart sizes = parts.next();
    for (std::size_t i = 0; i + 4 <= sizes.bytes.size(); i += 4) {
      const auto extent = static_cast<std::int32_t>(word_at(sizes.bytes, i, swapped_));
      check(extent >= 0, file_error("read"), "{}: damaged: a variable has a size of {}", path_, extent);
      variable.shape.push_back(extent);
    }
    check(sizes.bytes.size() % 4 == 0 && variable.shape.size() >= 2, file_error("read"),
          "{}: damaged: a variable has sizes of {} bytes", path_, sizes.bytes.size());
  }
  const std::string_view name = parts.next().bytes;
  variable.name = name.substr(0, name.find('\0'));
  // Files with objects end with a nameless matrix, which holds their content.
  if (!variable.name.empty()) variables_.push_back(std::move(variable));
}

std::string MatFile::unpack_all(std::string_view packed) const {
  constexpr std::size_t kMaxRatio = 1032;  // largest compression ratio of DEFLATE
  bool finished = false;
  const std::string head = unpack(path_, packed, kTag, finished);
  const std::size_t size = kTag + word_at(head, 4, swapped_);
  check(size <= packed.size() * kMaxRatio, file_error("read"),
        "{}: damaged: {} bytes of compressed data cannot hold a variable of {} bytes", path_, packed.size(),
        size);
  std::string content = unpack(path_, packed, size + 1, finished);
  check(content.size() == size && finished, file_error("read"),
        "{}: damaged: expected a variable of {} bytes, got {}{}", path_, size,
        content.size() > size ? "at least " : "", content.size());
  return content;
}

MatPart MatFile::values(const MatVariable& variable, std::string& unpacked) const {
  if (variable.compressed) unpacked = unpack_all(variable.content);
  Parts parts(path_, variable.compressed ? std::string_view(unpacked) : variable.content, swapped_);
  for (int i = 0; i < 3; ++i) parts.next();  // flags, sizes and name
  return parts.next();
}

}  // namespace gpuvae::io
