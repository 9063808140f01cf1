#include "tests/fuzz/fuzz.h"

#include <libdeflate.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>

namespace gpuvae::fuzz {
namespace {

namespace fs = std::filesystem;

class Folder {
 public:
  Folder() {
    std::error_code none;
    const fs::path memory = "/dev/shm";
    path_ = (fs::is_directory(memory, none) ? memory : fs::temp_directory_path()) /
            ("gpuvae-fuzz-" + std::to_string(::getpid()));
    fs::create_directories(path_);
  }
  ~Folder() {
    std::error_code unused;
    fs::remove_all(path_, unused);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

}  // namespace

void require(bool condition, std::string_view property) {
  if (condition) return;
  std::fprintf(stderr, "violated: %.*s\n", static_cast<int>(property.size()), property.data());
  std::abort();
}

void require_one_line(std::string_view message) {
  require(
      !message.empty() && std::ranges::none_of(message, [](unsigned char c) { return c < ' ' || c == 0x7F; }),
      "an error is one line without control characters");
}

fs::path input_file(std::string_view bytes, const std::string& name) {
  static const Folder folder;
  const fs::path path = folder.path() / name;
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  file.close();
  require(file.good(), "the input can be written to " + path.string());
  return path;
}

std::string gzip(std::string_view bytes) {
  const std::unique_ptr<libdeflate_compressor, decltype(&libdeflate_free_compressor)> compressor(
      libdeflate_alloc_compressor(1), libdeflate_free_compressor);
  std::string packed(libdeflate_gzip_compress_bound(compressor.get(), bytes.size()), '\0');
  packed.resize(
      libdeflate_gzip_compress(compressor.get(), bytes.data(), bytes.size(), packed.data(), packed.size()));
  return packed;
}

bool is_gzip(std::span<const std::uint8_t> bytes) {
  return bytes.size() >= 2 && bytes[0] == 0x1F && bytes[1] == 0x8B;
}

}  // namespace gpuvae::fuzz
