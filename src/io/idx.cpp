#include "src/io/idx.h"

#include <algorithm>
#include <limits>
#include <span>
#include <string>

#include "kernels/check.h"
#include "src/io/file.h"
#include "src/io/file_array.h"
#include "src/io/input.h"

namespace gpuvae::io {
namespace {

constexpr std::uint32_t kImagesMagic = 0x803, kLabelsMagic = 0x801;
constexpr std::uint32_t kRecordsMagic = 0xC02;               // QMNIST's labels: rows of 32-bit integers
constexpr std::uint64_t kMaxBytes = std::uint64_t{1} << 40;  // a header that claims more is damaged
constexpr std::size_t kChunk = std::size_t{1} << 20;

// Describes a magic number, for example as "2051 (images of unsigned bytes)". A magic number consists of two
// zero bytes, the element type and the number of dimensions.
std::string describe_magic(std::uint32_t magic) {
  const std::uint32_t type = magic >> 8, dimensions = magic & 255;
  if (magic == kImagesMagic) return fmt::format("{} (images of unsigned bytes)", magic);
  if (magic == kLabelsMagic) return fmt::format("{} (labels of unsigned bytes)", magic);
  const char* name = nullptr;
  if (type == 0x08) name = "unsigned bytes";
  if (type == 0x09) name = "signed bytes";
  if (type == 0x0B) name = "16-bit integers";
  if (type == 0x0C) name = "32-bit integers";
  if (type == 0x0D) name = "32-bit floats";
  if (type == 0x0E) name = "64-bit floats";
  if (name == nullptr) return fmt::format("{} (0x{:08x}, not an IDX file)", magic, magic);
  return fmt::format("{} ({}-dimensional IDX of {})", magic, dimensions, name);
}

// Formats sizes as "60000 x 28 x 28".
std::string shape_text(const std::vector<std::int64_t>& sizes) {
  std::string text;
  for (const std::int64_t size : sizes) text += (text.empty() ? "" : " x ") + std::to_string(size);
  return text;
}

std::uint32_t big_endian(std::span<const std::uint8_t> bytes) {
  return std::uint32_t{bytes[0]} << 24 | std::uint32_t{bytes[1]} << 16 | std::uint32_t{bytes[2]} << 8 |
         std::uint32_t{bytes[3]};
}

class IdxReader {
 public:
  explicit IdxReader(const std::filesystem::path& path) : path_(path), file_(path, "read_idx") {}

  // Reads the magic number and the sizes. The last byte of the magic number is the number of sizes. Throws
  // Error if the magic number is neither `magic` nor `other`.
  std::vector<std::int64_t> header(std::uint32_t magic, std::uint32_t other = 0) {
    std::uint8_t bytes[16] = {};
    std::size_t got = file_.read(std::span(bytes).first(4));
    if (got == 0) fail(file_error("read_idx"), "{}: expected an IDX file, got an empty file", path_.string());
    const auto word = [&](std::size_t i) { return big_endian(std::span(bytes).subspan(4 * i)); };
    if (got == 4 && other != 0 && word(0) == other) magic = other;
    element_size_ = magic == kRecordsMagic ? 4 : 1;
    const std::size_t dimensions = magic & 255, size = 4 + 4 * dimensions;
    if (got == 4) got += file_.read(std::span(bytes).subspan(4, 4 * dimensions));
    if (got >= 4 && word(0) != magic)
      fail(file_error("read_idx"), "{}: expected magic {}, got {}", path_.string(), describe_magic(magic),
           describe_magic(word(0)));
    if (got < size)
      fail(file_error("read_idx"), "{}: expected a header of {} bytes, got a truncated one of {}",
           path_.string(), size, got);
    std::vector<std::int64_t> sizes;
    for (std::size_t i = 1; i <= dimensions; ++i) sizes.push_back(word(i));
    return sizes;
  }

  // Reads the data after the header as bytes. Throws Error unless the file holds exactly as many elements as
  // the product of `sizes`.
  Tensor payload(const std::vector<std::int64_t>& sizes) {
    const std::uint64_t total = element_size_ * total_of(sizes), header = 4 + 4 * sizes.size();
    check_fits_memory(path_, total,
                      is_plain_file(path_) ? "keep the examples in the file (--data-placement auto or file)"
                                           : "uncompress the file, so that it can be read in parts");
    if (const Tensor whole = read_whole(path_, header + total))
      return whole.slice(static_cast<std::int64_t>(header), static_cast<std::int64_t>(total));
    return Tensor::from(read_rest(sizes, total), {static_cast<std::int64_t>(total)});
  }

  // Throws Error if a size is 0 or the data are too large.
  void check_total(const std::vector<std::int64_t>& sizes) const { static_cast<void>(total_of(sizes)); }

 private:
  std::uint64_t total_of(const std::vector<std::int64_t>& sizes) const {
    std::uint64_t total = 1;
    // Every size is below 2^32 and the total is at most 2^40, so the product cannot overflow.
    for (const std::int64_t size : sizes) {
      if (size == 0 || total > kMaxBytes / static_cast<std::uint64_t>(size))
        fail(file_error("read_idx"), "{}: expected sizes from 1 to {} bytes in all, got {}", path_.string(),
             kMaxBytes, shape_text(sizes));
      total *= static_cast<std::uint64_t>(size);
    }
    return total;
  }

  std::vector<std::uint8_t> read_rest(const std::vector<std::int64_t>& sizes, std::uint64_t total) {
    std::vector<std::uint8_t> data;
    while (data.size() < total) {
      const std::size_t start = data.size();
      data.resize(start + static_cast<std::size_t>(std::min<std::uint64_t>(kChunk, total - start)));
      const std::size_t got = file_.read(std::span(data).subspan(start));
      if (got < data.size() - start)
        fail(file_error("read_idx"), "{}: expected {} bytes of data ({}), got only {}: the file is truncated",
             path_.string(), total, shape_text(sizes), start + got);
    }
    if (!file_.at_end())
      fail(file_error("read_idx"),
           "{}: expected the end of the file after {} bytes of data ({}), got trailing bytes", path_.string(),
           total, shape_text(sizes));
    return data;
  }

  std::filesystem::path path_;
  InputFile file_;
  std::uint64_t element_size_ = 1;  // in bytes
};

// The bytes of IDX images are u8 elements.
void append_bytes(std::span<const std::uint8_t> stored, bool, NpyArray& to) {
  to.u8.insert(to.u8.end(), stored.begin(), stored.end());
}

std::vector<std::uint8_t> encode_header(const std::filesystem::path& path, std::uint32_t magic,
                                        const std::vector<std::int64_t>& sizes, std::size_t data_size) {
  std::vector<std::uint8_t> header;
  const auto append = [&](std::int64_t word) {
    for (int shift = 24; shift >= 0; shift -= 8)
      header.push_back(static_cast<std::uint8_t>(word >> shift & 255));
  };
  append(magic);
  std::uint64_t total = 1;
  for (const std::int64_t size : sizes) {
    check(size > 0 && size <= std::numeric_limits<std::uint32_t>::max() &&
              total <= kMaxBytes / static_cast<std::uint64_t>(size),
          file_error("write_idx"), "{}: expected sizes from 1 to {} bytes in all, got {}", path.string(),
          kMaxBytes, shape_text(sizes));
    total *= static_cast<std::uint64_t>(size);
    append(size);
  }
  check(data_size == total, file_error("write_idx"), "{}: expected {} bytes of data ({}), got {}",
        path.string(), total, shape_text(sizes), data_size);
  return header;
}

void write_idx(const std::filesystem::path& path, std::uint32_t magic, const std::vector<std::int64_t>& sizes,
               const std::vector<std::uint8_t>& data) {
  const std::vector<std::uint8_t> header = encode_header(path, magic, sizes, data.size());
  AtomicFile file(path);
  file.write(std::as_bytes(std::span(header)));
  file.write(std::as_bytes(std::span(data)));
  file.commit();
}

}  // namespace

IdxImages read_idx_images(const std::filesystem::path& path) {
  IdxReader reader(path);
  const std::vector<std::int64_t> sizes = reader.header(kImagesMagic);
  return {sizes[0], sizes[1], sizes[2], reader.payload(sizes).reshape({sizes[0], sizes[1] * sizes[2]})};
}

std::shared_ptr<const FileArray> open_idx_images(const std::filesystem::path& path) {
  if (!is_plain_file(path)) return nullptr;
  IdxReader reader(path);
  const std::vector<std::int64_t> sizes = reader.header(kImagesMagic);
  reader.check_total(sizes);
  return std::make_shared<const FileArray>(
      path, ArrayLayout{.shape = sizes, .offset = 4 + 4 * sizes.size(), .append = append_bytes});
}

std::vector<std::uint8_t> read_idx_labels(const std::filesystem::path& path) {
  IdxReader reader(path);
  const std::vector<std::int64_t> sizes = reader.header(kLabelsMagic, kRecordsMagic);
  const Tensor data = reader.payload(sizes);
  const std::span<const std::uint8_t> bytes(data.data_as<std::uint8_t>(),
                                            static_cast<std::size_t>(data.elements()));
  if (sizes.size() == 1) return {bytes.begin(), bytes.end()};
  std::vector<std::uint8_t> labels;
  for (std::size_t at = 0; at < bytes.size(); at += 4 * static_cast<std::size_t>(sizes[1])) {
    const std::uint32_t label = big_endian(bytes.subspan(at));
    check(label <= 255, file_error("read_idx"),
          "{}: expected labels from 0 to 255, got {} in row {} (from 0)", path.string(),
          static_cast<std::int32_t>(label), labels.size());
    labels.push_back(static_cast<std::uint8_t>(label));
  }
  return labels;
}

void write_idx_images(const std::filesystem::path& path, const std::array<std::int64_t, 3>& sizes,
                      const std::vector<std::uint8_t>& pixels) {
  write_idx(path, kImagesMagic, {sizes.begin(), sizes.end()}, pixels);
}

void write_idx_labels(const std::filesystem::path& path, const std::vector<std::uint8_t>& labels) {
  write_idx(path, kLabelsMagic, {static_cast<std::int64_t>(labels.size())}, labels);
}

}  // namespace gpuvae::io
