#include "apps/program/export.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <string>

#include "apps/run/model_file.h"
#include "apps/run/run_files.h"
#include "gpuvae/export_header.h"
#include "gpuvae/onnx.h"
#include "kernels/check.h"
#include "src/io/file.h"
#include "src/io/printable.h"

namespace gpuvae::apps {
namespace {

namespace fs = std::filesystem;

// The ONNX file of one part of the model: in the run folder, or beside the file of --output.
fs::path part_path(const Session& s, const Command& command, const std::string& part) {
  if (command.output.empty()) return s.folder() / (part + ".onnx");
  const fs::path output = command.output;
  return output.parent_path() / fmt::format("{}-{}.onnx", output.stem().string(), part);
}

// What the values of x mean to a caller who has the original data.
std::string description_of_values(const TrainingData& data) {
  const DataDescription& d = data.description;
  if (data.bytes) return "bytes / 255";
  if (!d.standardization.empty())
    return "(value - mean) / stddev of each column, or 0 if stddev is 0, with the moments in the metadata "
           "field "
           "data";
  if (d.values.scaled) return fmt::format("(value - {}) / {}", d.values.low, d.values.high - d.values.low);
  return "values as in the training data";
}

void export_onnx(const Session& s, const Command& command) {
  const fs::path encoder = part_path(s, command, "encoder"), decoder = part_path(s, command, "decoder");
  for (const fs::path& file : {encoder, decoder})
    check(is_own_file(file), file_error("export"),
          "{}: expected a new file or one of this command, got another file: move it away, or choose another "
          "name with --output",
          file.string());
  const OnnxOptions options{.metadata = metadata_of(s.config(), s.data_facts(), s.program().name),
                            .x_description = description_of_values(s.data_facts())};
  // Some models have an encoder in ONNX, but no decoder: both are written before either gets its name.
  const fs::path new_encoder = encoder.string() + ".new", new_decoder = decoder.string() + ".new";
  try {
    export_onnx_encoder(s.model(), new_encoder, options);
    export_onnx_decoder(s.model(), new_decoder, options);
  } catch (...) {
    std::error_code ignored;
    for (const fs::path& file : {new_encoder, new_decoder}) fs::remove(file, ignored);
    throw;
  }
  fs::rename(new_encoder, encoder);
  fs::rename(new_decoder, decoder);
  for (const fs::path& file : {encoder, decoder}) std::fprintf(stderr, "wrote   %s\n", file.c_str());
}

// What the reader of a header should know about the model.
std::string comment_of(const Session& s) {
  const RunConfig& config = s.config();
  std::string text = fmt::format("Model: {}, preset {}, seed {}; data: {}\n", s.program().name, config.preset,
                                 config.seed, io::printable(s.source()));
  if (config.training.data.binarize != Binarize::none)
    text += fmt::format(
        "The model was trained on values of 0 and 1 (--binarize {}): encode expects such values.\n",
        name(config.training.data.binarize));
  if (s.has_pictures())
    text += fmt::format("A row is an image of {} x {} (height x width), line by line.\n",
                        s.description().height, s.description().width);
  if (!s.column_names().empty())
    text += "Columns: " + io::printable(fmt::format("{}", fmt::join(s.column_names(), ", "))) + "\n";
  return text;
}

void write_header(const Session& s, const Command& command) {
  fs::path path = command.output;
  if (path.empty()) {
    path = s.folder() / kExportedHeader;
    check_own_file(path, command.name);
  }
  HeaderOptions options;
  options.name = path.stem().string();
  options.format = command.format == "c" ? HeaderFormat::c : HeaderFormat::cuda;
  options.data = s.description();
  options.comment = comment_of(s);
  io::write_file(path, export_header(s.model(), options));
  const bool has_units = !options.data->standardization.empty() || options.data->values.scaled;
  std::fprintf(stderr, "wrote   %s: %s_encode, %s_decode, %s_decode_params%s\n", path.c_str(),
               options.name.c_str(), options.name.c_str(), options.name.c_str(),
               has_units ? "; the units of the file: scale, unscale" : "");
}

// The stem of a header's file begins the names of its functions.
void check_header_name(const Command& command) {
  const std::string stem = fs::path(command.output).stem().string();
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  const auto is_part = [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_';
  };
  check(stem.size() <= 100 && std::ranges::all_of(stem, is_part) && stem[0] != '_' && !is_digit(stem[0]),
        "export",
        "{}: expected a file name of letters, digits and _ that begins with a letter, such as digits.h, "
        "because it begins the names of the functions",
        command.output);
}

}  // namespace

void check_export(const Command& command) {
  check(!command.format.empty(), "export", "expected --format onnx, cuda or c, got no format");
  if (command.output.empty()) return;
  const std::string ending = fs::path(command.output).extension().string();
  if (command.format == "onnx") {
    check(ending == ".onnx", "write", "{}: expected a file ending in .onnx", command.output);
    return;
  }
  check(ending == ".h" || ending == ".hpp" || ending == ".cuh", "write",
        "{}: expected a file ending in .h or .hpp or .cuh", command.output);
  check_header_name(command);
}

void export_model(const Session& session, const Command& command) {
  if (command.format == "onnx") return export_onnx(session, command);
  write_header(session, command);
}

}  // namespace gpuvae::apps
