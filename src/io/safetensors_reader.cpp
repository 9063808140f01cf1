#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <numeric>

#include "gpuvae/safetensors.h"
#include "kernels/check.h"
#include "src/io/printable.h"
#include "src/io/safetensors_header.h"
#include "src/io/stored_values.h"

namespace gpuvae {
namespace {

constexpr std::uint64_t kChunkOfFile = 1 << 20;  // a multiple of every element's size

std::int64_t row_count(const io::StoredTensor& tensor) { return tensor.shape.empty() ? 1 : tensor.shape[0]; }

}  // namespace

struct SafetensorsReader::File {
  // An open file, which the destructor closes.
  struct Descriptor {
    explicit Descriptor(const std::filesystem::path& path)
        : number(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
      struct stat status {};
      int error_number = number < 0 || ::fstat(number, &status) != 0 ? errno : 0;
      if (error_number == 0 && S_ISDIR(status.st_mode)) error_number = EISDIR;
      size = static_cast<std::uint64_t>(status.st_size);
      if (error_number == 0) return;
      if (number >= 0) ::close(number);
      fail(file_error("read"), "{}: {}", path.empty() ? "(empty path)" : path.string(),
           io::reason(error_number));
    }
    ~Descriptor() { ::close(number); }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;

    int number;
    std::uint64_t size = 0;  // of the file, in bytes
  };

  explicit File(std::filesystem::path file) : path(std::move(file)), descriptor(path) {
    const std::uint64_t size = descriptor.size;
    // The header is read through the descriptor, so that header and data are those of one file.
    std::string start(static_cast<std::size_t>(std::min(size, io::kLengthBytes)), '\0');
    read_at(0, std::as_writable_bytes(std::span(start)));
    start.resize(io::header_size(path.string(), start, size));
    read_at(0, std::as_writable_bytes(std::span(start)));
    header = io::parse_header(path.string(), start, size, io::AcceptedTypes::all);
    for (const io::StoredTensor& t : header.tensors) tensors.push_back({t.name, t.dtype, t.shape});
  }

  void read_at(std::uint64_t offset, std::span<std::byte> out) const {
    while (!out.empty()) {
      const ssize_t got = ::pread(descriptor.number, out.data(), out.size(), static_cast<off_t>(offset));
      if (got < 0 && errno == EINTR) continue;
      check(got >= 0, file_error("read"), "{}: {}", path.string(), io::reason(errno));
      check(got > 0, file_error("read"), "{}: the file has become shorter", path.string());
      out = out.subspan(static_cast<std::size_t>(got));
      offset += static_cast<std::uint64_t>(got);
    }
  }

  // Calls use(bytes) with the bytes of the data from `begin` to `end`, a part at a time.
  template <class Use>
  void read_chunks(std::uint64_t begin, std::uint64_t end, const Use& use) const {
    std::vector<std::byte> chunk;
    for (; begin < end; begin += chunk.size()) {
      chunk.resize(static_cast<std::size_t>(std::min(kChunkOfFile, end - begin)));
      read_at(header.data_offset + begin, chunk);
      use(std::span<const std::byte>(chunk));
    }
  }

  std::string where(const std::string& name) const {
    return fmt::format("{}: tensor '{}'", path.string(), io::printable(name));
  }

  const io::StoredTensor& expected(const std::string& name) const {
    const auto found = std::ranges::find(header.tensors, name, &io::StoredTensor::name);
    check(found != header.tensors.end(), file_error("read"), "{}: expected a tensor '{}', found none",
          path.string(), io::printable(name));
    return *found;
  }

  Tensor read(const io::StoredTensor& stored, std::int64_t first, std::int64_t count, DType dtype,
              Device device) const;

  std::filesystem::path path;
  Descriptor descriptor;
  io::StoredHeader header;
  std::vector<TensorInfo> tensors;
};

Tensor SafetensorsReader::File::read(const io::StoredTensor& stored, std::int64_t first, std::int64_t count,
                                     DType dtype, Device device) const {
  const std::string at = where(stored.name);
  check(stored.shape.size() <= Shape::kMaxRank, file_error("read"), "{}: expected at most {} axes, got {}",
        at, Shape::kMaxRank, stored.shape.size());
  check(first >= 0 && count >= 0 && count <= row_count(stored) - first, "read",
        "{}: expected rows within the {} of the tensor, got {} from row {} on", at, row_count(stored), count,
        first);
  const io::StoredType* type = io::stored_type(stored.dtype);
  check(type != nullptr, file_error("read"), "{}: expected a known element type, got {}", at,
        io::printable(stored.dtype));
  std::vector<std::int64_t> shape = stored.shape;
  if (!shape.empty()) shape[0] = count;
  // Numbers become bf16 through f32, in which every bf16 number is exact.
  const bool direct = type->dtype == dtype;
  const DType read_as = dtype == DType::bf16 && !direct ? DType::f32 : dtype;
  const Tensor host = Tensor::empty(Shape(std::span<const std::int64_t>(shape)), read_as);
  const std::uint64_t bytes = static_cast<std::uint64_t>(host.elements()) * type->size;
  const std::uint64_t row = row_count(stored) == 0 ? 0 : (stored.end - stored.begin) / row_count(stored);
  const std::uint64_t begin = stored.begin + static_cast<std::uint64_t>(first) * row;
  auto* to = static_cast<std::byte*>(host.data());
  read_chunks(begin, begin + bytes, [&](std::span<const std::byte> chunk) {
    const std::size_t elements = chunk.size() / type->size;
    if (direct)
      std::memcpy(to, chunk.data(), chunk.size());
    else
      io::convert_stored(at, stored.dtype, chunk, read_as, to);
    to += elements * size_of(read_as);
  });
  return host.to(dtype).to(device);
}

SafetensorsReader::SafetensorsReader(const std::filesystem::path& path)
    : file_(std::make_shared<const File>(path)) {}

const std::vector<TensorInfo>& SafetensorsReader::tensors() const { return file_->tensors; }
const std::map<std::string, std::string>& SafetensorsReader::metadata() const {
  return file_->header.metadata;
}
const std::filesystem::path& SafetensorsReader::path() const { return file_->path; }

bool SafetensorsReader::contains(const std::string& name) const {
  return std::ranges::find(file_->tensors, name, &TensorInfo::name) != file_->tensors.end();
}

std::vector<std::string> SafetensorsReader::names(std::span<const std::string> patterns) const {
  std::vector<std::string> names;
  for (const TensorInfo& tensor : file_->tensors)
    if (std::ranges::any_of(patterns, [&](const std::string& p) { return matches_pattern(tensor.name, p); }))
      names.push_back(tensor.name);
  return names;
}

Tensor SafetensorsReader::read(const std::string& name, DType dtype, Device device) const {
  const io::StoredTensor& stored = file_->expected(name);
  return file_->read(stored, 0, row_count(stored), dtype, device);
}

Tensor SafetensorsReader::read_rows(const std::string& name, std::int64_t first, std::int64_t count,
                                    DType dtype, Device device) const {
  const io::StoredTensor& stored = file_->expected(name);
  check(!stored.shape.empty(), "read", "{}: expected a tensor with rows, got a single number",
        file_->where(name));
  return file_->read(stored, first, count, dtype, device);
}

void SafetensorsReader::check_checksum() const {
  io::check_content(file_->path.string(), file_->header,
                    [&](const io::StoredTensor& tensor, io::Checksum& sum) {
                      file_->read_chunks(tensor.begin, tensor.end,
                                         [&](std::span<const std::byte> chunk) { sum.add(chunk); });
                    });
}

bool matches_pattern(const std::string& text, const std::string& pattern) {
  // Goes through both texts. After a mismatch, the last "*" takes one more character.
  std::size_t t = 0, p = 0, retry = 0, star = std::string::npos;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      retry = t;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p;
      ++t;
    } else if (star != std::string::npos) {
      p = star + 1;
      t = ++retry;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string::npos;
}

}  // namespace gpuvae
