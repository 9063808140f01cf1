// MATLAB files: the number of values agrees with the sizes, and values fit their class.
#include <cmath>
#include <string>

#include "src/io/mat.h"
#include "src/io/mat_file.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace gpuvae;

void check_matrix(const io::MatMatrix& m) {
  std::uint64_t count = 1;
  for (const std::int64_t extent : m.shape) {
    fuzz::require(extent >= 1, "extents are at least 1");
    count *= static_cast<std::uint64_t>(extent);
  }
  fuzz::require(m.shape.size() >= 2, "a matrix has two or more dimensions");
  fuzz::require(m.bytes == (m.class_name == "uint8"), "only uint8 matrices are bytes");
  fuzz::require((m.bytes ? m.u8.size() : m.f64.size()) == count && (m.u8.empty() || m.f64.empty()),
                "the number of values is the product of the sizes");
  const bool integers = m.class_name.starts_with("int") || m.class_name.starts_with("uint");
  if (!integers && m.class_name != "logical") return;
  for (const double value : m.f64)
    fuzz::require(std::isfinite(value) && value == std::trunc(value), "integers are whole numbers");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto path = fuzz::input_file(std::span(data, size));
  io::MatMatrix only;
  const bool has_only = fuzz::accepts([&] { only = io::read_mat(path); });
  if (has_only) check_matrix(only);
  std::vector<std::string> names;
  fuzz::accepts([&] {
    const io::MatFile file(path);
    for (const io::MatVariable& variable : file.variables()) names.push_back(variable.name);
  });
  fuzz::require(!has_only || !names.empty(), "a matrix that was found has a name");
  names.resize(std::min<std::size_t>(names.size(), 4));
  for (const std::string& name : names) {
    io::MatMatrix named;
    if (fuzz::accepts([&] { named = io::read_mat(path, name); })) check_matrix(named);
  }
  return 0;
}
