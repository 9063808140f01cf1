// Mutates PNG files chunk by chunk and keeps lengths, checksums and compression valid, because a reader stops
// at the first wrong checksum. Only libFuzzer's program png is linked with this file.
#include <libdeflate.h>
#include <zlib.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

namespace {

constexpr std::string_view kSignature("\x89PNG\r\n\x1A\n", 8);
constexpr std::size_t kMaxUnpacked = 1 << 16;

struct Chunk {
  std::string type;  // four letters
  std::string data;
};

std::uint32_t big_endian(std::string_view bytes) {
  std::uint32_t value = 0;
  for (const char c : bytes.substr(0, 4)) value = value << 8 | static_cast<std::uint8_t>(c);
  return value;
}
std::string big_endian(std::uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift & 255);
  return bytes;
}

// Returns no chunks unless the file is a sequence of chunks.
std::vector<Chunk> chunks_of(std::string_view file) {
  if (!file.starts_with(kSignature)) return {};
  file.remove_prefix(kSignature.size());
  std::vector<Chunk> chunks;
  while (file.size() >= 12) {
    const std::size_t length = big_endian(file);
    if (length > file.size() - 12) return {};
    chunks.push_back({std::string(file.substr(4, 4)), std::string(file.substr(8, length))});
    file.remove_prefix(12 + length);
  }
  return chunks;
}

std::string file_of(const std::vector<Chunk>& chunks) {
  std::string file(kSignature);
  for (const Chunk& chunk : chunks) {
    const std::string content = chunk.type + chunk.data;
    file += big_endian(static_cast<std::uint32_t>(chunk.data.size())) + content +
            big_endian(libdeflate_crc32(0, content.data(), content.size()));
  }
  return file;
}

std::string mutated(std::string text, std::size_t room) {
  const std::size_t size = text.size();
  text.resize(size + room);
  text.resize(LLVMFuzzerMutate(reinterpret_cast<std::uint8_t*>(text.data()), size, text.size()));
  return text;
}

// Mutates the rows of an image chunk. Returns the chunk itself, mutated, if it is not a whole zlib stream.
std::string mutated_rows(const std::string& packed) {
  std::string rows(kMaxUnpacked, '\0');
  uLongf size = rows.size();
  if (uncompress(reinterpret_cast<Bytef*>(rows.data()), &size, reinterpret_cast<const Bytef*>(packed.data()),
                 packed.size()) != Z_OK)
    return mutated(packed, 64);
  rows.resize(size);
  rows = mutated(std::move(rows), 64);
  std::string result(compressBound(rows.size()), '\0');
  uLongf result_size = result.size();
  compress2(reinterpret_cast<Bytef*>(result.data()), &result_size,
            reinterpret_cast<const Bytef*>(rows.data()), rows.size(), 1);
  result.resize(result_size);
  return result;
}

void mutate(std::vector<Chunk>& chunks, std::minstd_rand& random) {
  constexpr const char* kTypes[] = {"IHDR", "PLTE", "tRNS", "eXIf", "IDAT", "IEND", "gAMA", "tEXt"};
  const auto index = [&] { return static_cast<std::ptrdiff_t>(random() % chunks.size()); };
  Chunk& chunk = chunks[static_cast<std::size_t>(index())];
  switch (random() % 12) {
    case 0:
      chunks.insert(chunks.begin() + index(), Chunk(chunk));
      break;
    case 1:
      if (chunks.size() > 1) chunks.erase(chunks.begin() + index());
      break;
    case 2:
      std::swap(chunk, chunks[static_cast<std::size_t>(index())]);
      break;
    case 3:
      chunk.type = kTypes[random() % std::size(kTypes)];
      break;
    default:
      chunk.data =
          chunk.type == "IDAT" && random() % 4 != 0 ? mutated_rows(chunk.data) : mutated(chunk.data, 16);
  }
}

}  // namespace

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                               unsigned int seed) {
  std::minstd_rand random(seed);
  std::vector<Chunk> chunks = chunks_of({reinterpret_cast<const char*>(data), size});
  if (chunks.empty() || random() % 16 == 0) return LLVMFuzzerMutate(data, size, max_size);
  mutate(chunks, random);
  const std::string file = file_of(chunks);
  if (file.size() > max_size) return LLVMFuzzerMutate(data, size, max_size);
  std::memcpy(data, file.data(), file.size());
  return file.size();
}
