#include "apps/program/export.h"

#include <cstdio>

#include "apps/run/model_file.h"
#include "apps/run/run_files.h"
#include "gpuvae/onnx.h"
#include "kernels/check.h"

namespace gpuvae::apps {
namespace {

namespace fs = std::filesystem;

// The file of one part of the model: in the run folder, or beside the file of --output.
fs::path part_path(const Session& s, const Command& command, const std::string& part) {
  if (command.output.empty()) return s.folder() / (part + ".onnx");
  const fs::path output = command.output;
  return output.parent_path() / fmt::format("{}-{}.onnx", output.stem().string(), part);
}

// What the values of x mean to a caller who has the original data.
std::string description_of_values(const DataFacts& data) {
  const DataDescription& d = data.description;
  if (data.bytes) return "bytes / 255";
  if (!d.standardization.empty())
    return "(value - mean) / stddev of each column, with the moments in the metadata field data";
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
  export_onnx_encoder(s.model(), encoder, options);
  export_onnx_decoder(s.model(), decoder, options);
  for (const fs::path& file : {encoder, decoder}) std::fprintf(stderr, "wrote   %s\n", file.c_str());
}

}  // namespace

void export_model(const Session& session, const Command& command) { export_onnx(session, command); }

}  // namespace gpuvae::apps
