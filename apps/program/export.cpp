#include "apps/program/export.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "gpuvae/export_header.h"
#include "kernels/check.h"
#include "src/io/file.h"
#include "src/io/printable.h"

namespace gpuvae::apps {
namespace {

// What a reader of the header should know about the model.
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

}  // namespace

void check_export(const Command& command) {
  if (command.output.empty()) return;
  const std::string stem = std::filesystem::path(command.output).stem().string();
  const auto is_part = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  };
  check(stem.size() <= 100 && std::ranges::all_of(stem, is_part) && stem[0] != '_' &&
            !(stem[0] >= '0' && stem[0] <= '9'),
        "export",
        "{}: expected a file name of letters, digits and _ that begins with a letter, such as digits.h, "
        "because "
        "it begins the names of the functions",
        command.output);
}

void export_model(const Session& session, const Command& command, const std::filesystem::path& path) {
  HeaderOptions options;
  options.name = path.stem().string();
  options.format = command.format == "c" ? HeaderFormat::c : HeaderFormat::cuda;
  options.data = session.description();
  options.comment = comment_of(session);
  io::write_file(path, export_header(session.model(), options));
  std::fprintf(stderr, "wrote   %s: %s_encode, %s_decode, %s_decode_params%s\n", path.c_str(),
               options.name.c_str(), options.name.c_str(), options.name.c_str(),
               options.data->standardization.empty() && !options.data->values.scaled
                   ? ""
                   : "; the units of the file: scale, unscale");
}

}  // namespace gpuvae::apps
