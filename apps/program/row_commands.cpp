#include "apps/program/row_commands.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>

#include "apps/program/latent_file.h"
#include "apps/program/observed.h"
#include "apps/program/output.h"
#include "apps/report/condition.h"
#include "apps/report/pictures.h"
#include "apps/run/other_data.h"
#include "apps/run/run_files.h"
#include "kernels/check.h"
#include "src/data/counted.h"
#include "src/data/parts.h"
#include "src/io/image.h"

namespace gpuvae::apps {
namespace {

namespace fs = std::filesystem;

// The images that a command works on: those of the run, or those of --input.
Dataset images_of(const Session& s, const Command& command) {
  if (command.input.empty()) return s.images(command.set, command.images);
  check(
      !has_numbers_beside_bytes(s), unsupported(command.name),
      "{}: expected no --input for a model of bytes with numbers as condition, which no file holds together: "
      "use Python's gpuvae.load",
      command.input);
  const Dataset set = load_input(s.config(), command.input, command.set, s.description());
  Dataset part = set.slice(0, command.images > 0 ? std::min(command.images, set.count()) : set.count());
  if (!command.class_name.empty()) {
    const int number = shown_classes(s, {command.class_name, ""}, command.name.c_str()).front();
    part.labels.assign(static_cast<std::size_t>(part.count()), static_cast<std::uint8_t>(number));
  }
  check(!has_class_condition(s) || !part.labels.empty(), command.name,
        "{}: expected a label for each {} as condition, got none: --class gives all of them one class",
        command.input, s.has_pictures() ? "image" : "row");
  s.check_classes(part, command.name);
  return s.conditioned(part).to(s.model().device());
}

// Says which rows were encoded, because a run without --input encodes only the validation set.
void say_encoded(const Session& s, const Command& command, const Dataset& images) {
  std::string of = command.input;
  if (of.empty())
    of = fmt::format("the {} set",
                     command.set == "train" || (s.validation().count() == 0 && command.set != "test")
                         ? "training"
                         : command.set);
  std::fprintf(stderr, "encoded %s of %s\n",
               counted(images.count(), s.has_pictures() ? "image" : "row").c_str(), of.c_str());
}

// The columns of decoded rows: those of the table, or x0, x1, ...
std::vector<std::string> decoded_columns(const Session& s) {
  std::vector<std::string> columns = s.feature_description().column_names;
  const auto features = static_cast<std::size_t>(s.model().options().features);
  for (std::size_t i = 0; columns.size() < features; ++i) columns.push_back(fmt::format("x{}", i));
  return columns;
}

// Writes decoded rows as a sheet of images or as numbers, depending on the extension of the path. Rows of a
// table are in the units of its columns. `more` has what the file has besides the decoded values.
void write_decoded(const Session& s, const fs::path& path, std::vector<float> images, Rows more = {}) {
  const DataDescription like = s.feature_description();
  const std::int64_t features = s.model().options().features;
  const auto count = static_cast<int>(static_cast<std::int64_t>(images.size()) / features);
  if (path.extension() == ".png") {
    io::write_png(path, io::image_grid(images, count, like.width, like.height, std::min(count, 20),
                                       {.gap = 2, .background = 40, .zoom = 2}));
  } else {
    Rows rows = std::move(more);
    rows.columns = decoded_columns(s);
    if (!like.standardization.empty() || like.values.scaled) {
      rows.exact = restored(like, images);
      images.assign(rows.exact.begin(), rows.exact.end());
    }
    rows.values = std::move(images);
    write_rows(path, rows);
  }
  say_wrote(path);
}

// A table in the run folder is one that a command wrote if it has the columns of decoded rows.
void check_own_table(const fs::path& path, std::vector<std::string> columns) {
  std::ifstream in(path);
  std::string header;
  const Rows plain{.columns = std::move(columns)};
  Rows with_class = plain;
  with_class.row_classes = {""};
  check(!std::getline(in, header) || header == header_of(plain) || header == header_of(with_class),
        file_error("write"),
        "{}: expected a file of a run, got another one: move it away, or choose another file with --output",
        path.string());
}

fs::path decoded_path(const Session& s, const Command& command, const char* stem) {
  const fs::path path =
      output_or(s, command, fmt::format("{}{}", stem, s.has_pictures() ? ".png" : ".csv").c_str());
  check(s.has_pictures() || path.extension() != ".png", "write",
        "{}: expected a file ending in .csv or .npy for rows of a table", path.string());
  if (command.output.empty() && path.extension() == ".csv") check_own_table(path, decoded_columns(s));
  return path;
}

// Replaces the decoded values, [images, features], by those of the data where the data have a value. The rows
// of the data may have further columns, those of the condition.
void keep_observed(const Dataset& images, std::int64_t features, std::vector<float>& decoded) {
  data::for_parts(images, [&](const Tensor& part, std::int64_t first) {
    const std::int64_t rows = part.shape()[0], columns = part.shape()[1];
    for (std::int64_t row = 0; row < rows; ++row)
      for (std::int64_t c = 0; c < features; ++c)
        if (const float x = part.data_as<float>()[row * columns + c]; !std::isnan(x))
          decoded[static_cast<std::size_t>((first + row) * features + c)] = x;
  });
}

}  // namespace

void encode(const Session& s, const Command& command) {
  const fs::path path = output_or(s, command, "latent.csv");
  const Dataset images = images_of(s, command);
  Rows rows;
  for (std::int64_t d = 0; d < s.config().model.latent; ++d)
    rows.columns.push_back(fmt::format("z{}", d + 1));
  rows.values =
      encode_all(s.model(), images, s.evaluation(), s.config().pictures.encode == "sample").to_vector();
  rows.labels = images.labels;
  rows.class_names = s.class_names();
  for (std::int64_t i = 0; i < images.count(); ++i) rows.row_numbers.push_back(images.row_number(i));
  write_rows(path, rows);
  say_wrote(path);
  say_encoded(s, command, images);
}

void decode(const Session& s, const Command& command) {
  const fs::path path = decoded_path(s, command, "decoded");
  const std::int64_t latent = s.config().model.latent;
  const GivenCondition given{command.class_name, command.given};
  check(!has_class_condition(s) || !given.class_name.empty(), "decode",
        "expected --class for a model of --condition label, got none");
  const Tensor y = condition_rows(s, {shown_classes(s, given, "decode").front()}, given, "decode");
  write_decoded(
      s, path,
      decode_all(s.model(),
                 command.input.empty() ? parse_codes(command.z, latent) : read_codes(command.input, latent),
                 y));
}

void reconstruct(const Session& s, const Command& command) {
  const fs::path path = decoded_path(s, command, "reconstructions");
  check(!command.impute || (s.model().options().missing_values && path.extension() != ".png"), "reconstruct",
        "--impute expects rows of numbers of a model with --missing-values, got {}",
        path.extension() == ".png" ? "pictures" : "a model without");
  const Dataset images = images_of(s, command);
  if (path.extension() == ".png") {
    const int count = static_cast<int>(std::min<std::int64_t>(
        images.count(), command.images > 0 ? command.images : s.config().pictures.reconstructions));
    io::write_png(path, reconstructions(s.model(), images, count, s.evaluation().data));
    return say_wrote(path);
  }
  std::vector<float> decoded = reconstruct_all(s.model(), images, s.evaluation()).to_vector();
  if (!command.impute) return write_decoded(s, path, std::move(decoded));
  keep_observed(images, s.model().options().features, decoded);
  // Elsewhere, bytes are written as numbers in [0, 1], but here they stand beside bytes of the file.
  if (s.description().values.kind == ValueKind::bytes && !s.description().values.scaled)
    for (float& value : decoded) value *= 255;
  write_decoded(s, path, std::move(decoded), {.observed = observed_values(s, command.input, images)});
}

void sample(const Session& s, const Command& command) {
  const fs::path path = decoded_path(s, command, "samples");
  const int count = s.config().pictures.samples;
  const GivenCondition given{command.class_name, command.given};
  const std::vector<int> shown = shown_classes(s, given, "sample");
  std::vector<int> classes;
  for (int i = 0; i < count; ++i) classes.push_back(shown[static_cast<std::size_t>(i) % shown.size()]);
  const Tensor y = condition_rows(s, classes, given, "sample");
  if (path.extension() == ".png") {
    io::write_png(path, prior_samples(s.model(), count, s.config().seed, s.description().height,
                                      s.description().width, y));
    return say_wrote(path);
  }
  Rows more;
  const std::vector<std::string> names = condition_class_names(s);
  for (const int number : classes)
    if (!names.empty()) more.row_classes.push_back(names[static_cast<std::size_t>(number)]);
  write_decoded(s, path, s.model().sample_prior(count, s.config().seed, y).mean.to_vector(), std::move(more));
}

}  // namespace gpuvae::apps
