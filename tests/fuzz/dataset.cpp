// Data sets: the first character of the input chooses the kind of file, the second one the options, and the
// rest is the file. Examples are finite and in the range that the description says, and the same file read
// for the model (--input) gives the same examples. So does a file whose examples stay in it.
#include <cmath>
#include <cstring>
#include <numeric>

#include "gpuvae/data.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace gpuvae;

std::string name_of(std::uint8_t kind) {
  switch (kind) {
    case 'n':
      return "data.npy";
    case 'm':
      return "data.mat";
    case 'i':
      return "images-idx3-ubyte";
    case 'z':
      return "data.csv.gz";
    default:
      return "data.csv";
  }
}

DatasetOptions options_of(std::uint8_t choice) {
  DatasetOptions options;
  options.validation_fraction = (choice & 1) != 0 ? 0 : 0.25;
  options.standardize = (choice & 2) != 0;
  if ((choice & 4) != 0) options.value_range = {0, 255};
  if ((choice & 8) != 0) options.label_column = "0";
  if ((choice & 16) != 0) options.header = Header::yes;
  return options;
}

void check_examples(const Dataset& set, const DataDescription& d) {
  fuzz::require(
      set.features() == std::int64_t{d.height} * d.width && set.height == d.height && set.width == d.width,
      "examples have the described size");
  fuzz::require(set.labels.empty() || std::ssize(set.labels) == set.count(), "each example has a label");
  fuzz::require((set.examples.dtype() == DType::u8) == (d.values.kind == ValueKind::bytes),
                "only bytes are stored as u8");
  for (const std::uint8_t label : set.labels)
    fuzz::require(d.class_names.empty() || label < d.class_names.size(), "each label has a name");
  if (set.examples.dtype() != DType::f32) return;
  const float* values = set.examples.data_as<float>();
  const bool unit = d.values.scaled || d.values.kind == ValueKind::unit;
  for (std::int64_t i = 0; i < set.examples.elements(); ++i) {
    fuzz::require(std::isfinite(values[i]), "examples are finite");
    fuzz::require(!unit || !d.standardization.empty() || (values[i] >= 0 && values[i] <= 1),
                  "examples are in their range");
  }
}

// Every example of `part` must be the row of `all` that has its number.
void check_same_rows(const Dataset& part, const Dataset& all) {
  const auto row_bytes = static_cast<std::size_t>(all.examples.bytes() / all.count());
  const auto* rows = static_cast<const std::uint8_t*>(all.examples.data());
  const auto* some = static_cast<const std::uint8_t*>(part.examples.data());
  for (std::int64_t i = 0; i < part.count(); ++i) {
    const auto from = static_cast<std::size_t>(part.row_number(i));
    fuzz::require(
        std::memcmp(some + static_cast<std::size_t>(i) * row_bytes, rows + from * row_bytes, row_bytes) == 0,
        "the file read for the model gives the same examples");
  }
}

// The examples that stay in the file are those that memory has.
void check_kept(const Dataset& kept, const Dataset& set) {
  fuzz::require(kept.count() == set.count() && kept.dtype() == set.dtype(), "the file has as many examples");
  std::vector<std::int64_t> numbers(static_cast<std::size_t>(kept.count()));
  std::iota(numbers.begin(), numbers.end(), 0);
  const Tensor rows = kept.select(numbers);
  const auto bytes = static_cast<std::size_t>(rows.bytes());
  fuzz::require(bytes == 0 || std::memcmp(rows.data(), set.examples.data(), bytes) == 0,
                "the file has the same examples");
  fuzz::require(fingerprint(kept) == fingerprint(set), "the file has the same fingerprint");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const DatasetOptions options = options_of(data[1]);
  const auto path = fuzz::input_file(std::span(data, size).subspan(2), name_of(data[0]));
  Split split;
  const bool in_memory = fuzz::accepts([&] { split = load_dataset(path, options); });
  if (data[0] == 'n' || data[0] == 'i') {
    DatasetOptions in_place = options;
    in_place.placement = Placement::file;
    Split kept;
    const bool in_file = fuzz::accepts([&] { kept = load_dataset(path, in_place); });
    fuzz::require(in_memory || !in_file, "what memory refuses is refused in the file, too");
    if (in_file) check_kept(kept.train, split.train);
    if (in_file) check_kept(kept.test, split.test);
  }
  if (!in_memory) return 0;
  for (const std::string& note : split.notes) fuzz::require_one_line(note);
  fuzz::require_one_line(split.source);
  for (const Dataset* part : {&split.train, &split.test}) check_examples(*part, split.description);
  // Whole numbers up to 1 are refused for a model of bytes, because they may be bytes that were divided by
  // 255.
  if (options.value_range && split.description.values.kind == ValueKind::bytes) return 0;
  Split again;
  const bool accepted =
      fuzz::accepts([&] { again = load_like(path, split.description, options.header, options.variable); });
  fuzz::require(accepted, "a file fits the model that was trained on it");
  fuzz::require(again.train.count() == split.train.count() + split.test.count(), "all rows are read");
  check_same_rows(split.train, again.train);
  check_same_rows(split.test, again.train);
  return 0;
}
