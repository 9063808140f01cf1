// Writes the training images of a data set as one IDX file and, on request, the validation images as another,
// so that the peers use the same data as our programs.
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

void write(const Dataset& set, const std::string& path) {
  const auto* pixels = set.examples.data_as<std::uint8_t>();
  io::write_idx_images(path, {set.count(), set.height, set.width},
                       {pixels, pixels + set.examples.elements()});
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4 && argc != 5) {
    std::fputs("peers_data mnist|frey FOLDER|builtin TRAINING_OUTPUT [VALIDATION_OUTPUT]\n", stderr);
    return 1;
  }
  return gpuvae::apps::run_guarded("peers_data", [&] {
    const Split split = load(argv[1], argv[2]);
    write(split.train, argv[3]);
    if (argc == 5) write(split.test, argv[4]);
    std::puts(split.source.c_str());
  });
}
