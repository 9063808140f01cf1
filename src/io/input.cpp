#include "src/io/input.h"

#include <libdeflate.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <system_error>
#include <utility>

#include "kernels/check.h"

namespace gpuvae::io {
namespace {

// RFC 1952: a gzip file begins with a header of at least 10 bytes, of which the first two are 1F 8B, and ends
// with a CRC and the size modulo 2^32.
bool is_gzip(std::span<const std::uint8_t> bytes) {
  return bytes.size() >= 18 && bytes[0] == 0x1F && bytes[1] == 0x8B;
}
std::uint32_t size_word(std::span<const std::uint8_t> gzip) {
  std::uint32_t word = 0;
  for (const std::uint8_t byte : gzip.last<4>()) word = word >> 8 | std::uint32_t{byte} << 24;
  return word;
}

// Unpacks a gzip stream. Returns false unless the result has exactly out.size() bytes and nothing follows the
// stream.
bool unpack_gzip(std::span<const std::uint8_t> packed, std::span<std::uint8_t> out) {
  const std::unique_ptr<libdeflate_decompressor, decltype(&libdeflate_free_decompressor)> decompressor(
      libdeflate_alloc_decompressor(), libdeflate_free_decompressor);
  std::size_t used = 0;
  return decompressor &&
         libdeflate_gzip_decompress_ex(decompressor.get(), packed.data(), packed.size(), out.data(),
                                       out.size(), &used, nullptr) == LIBDEFLATE_SUCCESS &&
         used == packed.size();
}

}  // namespace

InputFile::InputFile(std::filesystem::path path, std::string_view operation)
    : path_(std::move(path)), operation_(operation), file_(nullptr, gzclose_r) {
  std::error_code error;
  const auto status = std::filesystem::status(path_, error);
  if (!std::filesystem::exists(status))
    fail(file_error(operation_), "{}: expected a file, got none ({})", path_.string(),
         error ? error.message() : "no such file");
  if (std::filesystem::is_directory(status))
    fail(file_error(operation_), "{}: expected a file, got a directory", path_.string());
  errno = 0;
  file_.reset(gzopen(path_.c_str(), "rb"));
  if (!file_)
    fail(file_error(operation_), "{}: expected a readable file, got: {}", path_.string(),
         std::strerror(errno));
}

std::size_t InputFile::read(std::span<std::uint8_t> out) {
  const int got = gzread(file_.get(), out.data(), static_cast<unsigned>(out.size()));
  int code = Z_OK;
  const char* reason = gzerror(file_.get(), &code);
  if (got < 0 || code < 0) {
    // zlib begins its reason with the path, which the error already contains.
    const std::string prefix = path_.string() + ": ", text = code == Z_ERRNO ? std::strerror(errno) : reason;
    fail(file_error(operation_), "{}: expected {}, got: {}", path_.string(),
         code == Z_ERRNO ? "readable data" : "an intact gzip stream",
         text.starts_with(prefix) ? text.substr(prefix.size()) : text);
  }
  return static_cast<std::size_t>(got);
}

bool InputFile::at_end() {
  std::uint8_t next = 0;
  return read({&next, 1}) == 0;
}

Tensor read_whole(const std::filesystem::path& path, std::uint64_t bytes) {
  constexpr std::uint64_t kMaxRatio = 1032;  // largest compression ratio of DEFLATE
  std::error_code error;
  const std::uint64_t size = std::filesystem::file_size(path, error);
  if (error || bytes > size * kMaxRatio) return {};
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), std::fclose);
  const auto read = [&](std::uint8_t* to) { return file && std::fread(to, 1, size, file.get()) == size; };
  const auto empty = [&] { return Tensor::empty({static_cast<std::int64_t>(bytes)}, DType::u8); };
  if (size == bytes) {
    const Tensor content = empty();
    const auto* first = content.data_as<std::uint8_t>();
    return read(content.data_as<std::uint8_t>()) && !is_gzip({first, size}) ? content : Tensor();
  }
  const auto packed = std::make_unique_for_overwrite<std::uint8_t[]>(size);
  const std::span<const std::uint8_t> stream(packed.get(), size);
  if (!read(packed.get()) || !is_gzip(stream) || size_word(stream) != (bytes & 0xFFFFFFFF)) return {};
  const Tensor content = empty();
  return unpack_gzip(stream, {content.data_as<std::uint8_t>(), bytes}) ? content : Tensor();
}

}  // namespace gpuvae::io
