#include "apps/run/other_data.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <span>

#include "apps/cli/data_flags.h"
#include "apps/cli/text.h"
#include "kernels/check.h"
#include "src/data/counted.h"
#include "src/data/parts.h"
#include "src/vae/named_distributions.h"

namespace gpuvae::apps {
namespace {

void say_notes(const std::vector<std::string>& notes) {
  for (const std::string& note : notes) std::fprintf(stderr, "note    %s\n", one_line(note).c_str());
}

}  // namespace

Split load_other_data(const RunConfig& c) {
  DatasetOptions options;
  options.label_column = c.data.label_column;
  options.header = c.data.header;
  options.variable = c.data.variable;
  options.columns = parse_columns(c.data.columns);
  options.standardize = c.data.standardize;
  options.value_range = parse_value_range(c.data.value_range);
  options.validation_fraction = c.data.validation_fraction;
  options.placement = c.data.placement;
  return load_dataset(c.data.path, options);
}

void refuse_data_flags(const RunConfig& c) {
  const auto refuse = [](bool given, const char* flag) {
    check(!given, "data", "expected --data with {}, got the program's own data set", flag);
  };
  refuse(c.data.header != Header::automatic, "--header");
  refuse(!c.data.columns.empty(), "--columns");
  refuse(!c.data.value_range.empty(), "--value-range");
  refuse(!c.data.variable.empty(), "--variable");
  refuse(!c.data.label_column.empty(), "--label-column");
  refuse(c.data.standardize, "--standardize");
  refuse(c.data.validation_fraction != DataSettings().validation_fraction, "--validation-fraction");
}

std::string scaling_advice(const DataDescription& d) {
  constexpr double kFar = 10;
  const ValueRange& v = d.values;
  const bool as_they_are = d.standardization.empty() && !v.scaled && v.kind != ValueKind::bytes;
  if (!as_they_are || !(std::max(std::abs(v.low), std::abs(v.high)) > kFar)) return "";
  return fmt::format(
      "values from {:.7g} to {:.7g} can make training diverge: --value-range {:.7g}:{:.7g} scales them to "
      "[0, 1]{}",
      v.low, v.high, v.low, v.high,
      d.height > 1 ? "" : ", --standardize scales every column to mean 0 and standard deviation 1");
}

void say_data(const Split& split) {
  std::fprintf(stderr, "values  %s\n", describe(split.description.values).c_str());
  if (const std::string advice = scaling_advice(split.description); !advice.empty()) say_notes({advice});
  say_notes(split.notes);
}

// Not every likelihood is defined for numbers outside [0, 1].
void check_values(const RunConfig& c, const Dataset& images) {
  if (images.dtype() == DType::u8 || named_likelihood(c.distributions.likelihood).any_number) return;
  data::for_parts(images, [&](const Tensor& part, std::int64_t) {
    for (const float v : std::span(part.data_as<float>(), static_cast<std::size_t>(part.elements())))
      check(
          v >= 0 && v <= 1, "data",
          "--likelihood {} expects values in [0, 1], got {}: scale them with --value-range LOW:HIGH, or use "
          "--likelihood gaussian with --gaussian-mean identity",
          c.distributions.likelihood, v);
  });
}

Dataset load_input(const RunConfig& c, const std::string& path, const std::string& set,
                   const DataDescription& like) {
  Split split = load_like(path, like, c.data.header, c.data.variable, c.data.placement);
  say_notes(split.notes);
  const bool takes_train = set == "train" || split.test.count() == 0;
  Dataset& images = takes_train ? split.train : split.test;
  if (split.test.count() > 0)
    say_notes({fmt::format("{}: uses the {} of the {} set (--set {} chooses the others)", path,
                           counted(images.count(), like.height > 1 ? "image" : "row"),
                           takes_train ? "training" : "validation", takes_train ? "validation" : "train")});
  check_values(c, images);
  return std::move(images);
}

}  // namespace gpuvae::apps
