#include "apps/program/row_commands.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>

#include "apps/program/latent_file.h"
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
  const Dataset set = load_input(s.config(), command.input, command.set, s.description());
  const Dataset part = set.slice(0, command.images > 0 ? std::min(command.images, set.count()) : set.count());
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
// table are in the units of its columns.
void write_decoded(const Session& s, const fs::path& path, std::vector<float> images) {
  const DataDescription like = s.feature_description();
  const std::int64_t features = s.model().options().features;
  const auto count = static_cast<int>(static_cast<std::int64_t>(images.size()) / features);
  if (path.extension() == ".png") {
    io::write_png(path, io::image_grid(images, count, like.width, like.height, std::min(count, 20),
                                       {.gap = 2, .background = 40, .zoom = 2}));
  } else {
    Rows rows;
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
  check(!std::getline(in, header) || header == header_of({.columns = std::move(columns)}),
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

// Replaces the decoded values by those of the data, where the data have a value.
void keep_observed(const Dataset& images, std::vector<float>& decoded) {
  data::for_parts(images, [&](const Tensor& part, std::int64_t first) {
    const auto at = static_cast<std::size_t>(first * part.shape()[1]);
    for (std::size_t i = 0; i < static_cast<std::size_t>(part.elements()); ++i)
      if (const float x = part.data_as<float>()[i]; !std::isnan(x)) decoded[at + i] = x;
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
  const Tensor means = encode_all(s.model(), images, s.evaluation());
  const Tensor y = is_conditional(s)
                       ? s.model().condition_of(first_images(images, images.count(), s.evaluation().data))
                       : Tensor();
  std::vector<float> decoded = decode_all(s.model(), means.to_vector(), y);
  if (command.impute) keep_observed(images, decoded);
  write_decoded(s, path, std::move(decoded));
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
  write_decoded(s, path, s.model().sample_prior(count, s.config().seed, y).mean.to_vector());
}

}  // namespace gpuvae::apps
