// Prints what the readers find in a file, for formats_test.py: "file_values image PATH" or "file_values mat
// PATH [VARIABLE]". The first line has the sizes, the second the values. An error is one line on stderr.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdio>
#include <string>

#include "gpuvae/error.h"
#include "src/io/image.h"
#include "src/io/mat.h"

int main(int argc, char** argv) {
  using namespace gpuvae;
  try {
    const std::string kind = argc > 2 ? argv[1] : "";
    if (kind == "image") {
      const io::Gray image = io::read_image(argv[2]);
      fmt::print("{} {}\n{}\n", image.height, image.width, fmt::join(image.pixels, " "));
    } else if (kind == "mat") {
      const io::MatMatrix matrix = io::read_mat(argv[2], argc > 3 ? argv[3] : "");
      fmt::print("{}\n", fmt::join(matrix.shape, " "));
      if (matrix.bytes) {
        fmt::print("{}\n", fmt::join(matrix.u8, " "));
      } else {
        fmt::print("{}\n", fmt::join(matrix.f64, " "));
      }
    } else {
      throw Error("file_values", "expected image PATH or mat PATH [VARIABLE]");
    }
  } catch (const Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
