// Gives every file of the corpora to its target, without libFuzzer, in the usual build:
//   gpuvae_fuzz_replay FOLDER         all files of FOLDER/<target>/
//   gpuvae_fuzz_replay TARGET FILE    one file
// It prints each file before it reads it, so that the last line names the input of a crash.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <vector>

#include "tests/fuzz/fuzz.h"

// The build renames LLVMFuzzerTestOneInput of each target's file.
#define GPUVAE_TARGET(name) extern "C" int gpuvae_fuzz_##name(const std::uint8_t* data, std::size_t size);
#include "targets.inc"
#undef GPUVAE_TARGET

namespace {

namespace fs = std::filesystem;

struct Target {
  const char* name;
  int (*run)(const std::uint8_t* data, std::size_t size);
};
#define GPUVAE_TARGET(name) {#name, gpuvae_fuzz_##name},
constexpr Target kTargets[] = {
#include "targets.inc"
};
#undef GPUVAE_TARGET

void replay(const Target& target, const fs::path& file) {
  std::printf("%s %s\n", target.name, file.c_str());
  std::fflush(stdout);
  std::ifstream in(file, std::ios::binary);
  const std::vector<char> bytes{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  target.run(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
}

// Returns the number of files.
int replay_all(const Target& target, const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) files.push_back(entry.path());
  std::ranges::sort(files);
  for (const fs::path& file : files) replay(target, file);
  return static_cast<int>(files.size());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 3) {
    for (const Target& target : kTargets)
      if (std::strcmp(target.name, argv[1]) == 0) {
        replay(target, argv[2]);
        return 0;
      }
  }
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s FOLDER, or %s TARGET FILE\n", argv[0], argv[0]);
    return 2;
  }
  for (const Target& target : kTargets) {
    const int files = replay_all(target, fs::path(argv[1]) / target.name);
    gpuvae::fuzz::require(files > 0, std::string("there are inputs for ") + target.name);
    std::printf("%s: %d inputs\n", target.name, files);
  }
  return 0;
}
