// Writes the training images of a data set as one IDX file, so that the peers train on the same data as our
// programs.
#include <cstdio>
#include <string>

#include "apps/program/program.h"
#include "gpuvae/data.h"
#include "kernels/check.h"
#include "src/io/idx.h"

namespace {

using namespace gpuvae;

Split load(const std::string& set, const std::string& source) {
  const bool digits = set == "mnist";
  check(digits || set == "frey", "peers_data", "expected mnist or frey, got {}", set);
  if (source == "builtin") return digits ? procedural_mnist(60000, 1) : procedural_frey();
  return digits ? load_mnist(source) : load_frey(source);
}

void write(const std::string& set, const std::string& source, const std::string& path) {
  const Split split = load(set, source);
  const Dataset& train = split.train;
  const auto* pixels = train.examples.data_as<std::uint8_t>();
  io::write_idx_images(path, {train.count(), train.height, train.width},
                       {pixels, pixels + train.examples.elements()});
  std::puts(split.source.c_str());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fputs("peers_data mnist|frey FOLDER|builtin OUTPUT\n", stderr);
    return 1;
  }
  return gpuvae::apps::run_guarded("peers_data", [&] { write(argv[1], argv[2], argv[3]); });
}
