#include "apps/run/run_files.h"

#include <algorithm>
#include <fstream>

#include "kernels/check.h"
#include "src/io/file.h"

namespace gpuvae::apps {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kFingerprintMark = "# Training set: fingerprint ";
constexpr std::uint64_t kBytesOfMark = 4096;

// What the programs write to a run folder, in the order in which move_to_previous() moves it. The model moves
// first and config.toml last. Each of them marks a folder as that of a run, so that both folders are
// recognised at every moment.
constexpr std::string_view kNames[] = {kModelFile,      kCheckpointFile, kEarlierCheckpointFile,
                                       kBestFile,       kMetricsFile,    kStepsFile,
                                       "report.html",   "explorer.html", "curves.svg",
                                       "curves-kl.svg", "latent.svg",    "kl.svg",
                                       "posterior.svg", "prior.svg",     "model.svg",
                                       "manifold.svg",  "manifold.png",  "reconstructions.png",
                                       "samples.png",   "examples.png",  "columns.svg",
                                       "eval.json",     "eval.html",     "latent.csv",
                                       "decoded.png",   "decoded.csv",   "reconstructions.csv",
                                       "samples.csv",   "encoder.onnx",  "decoder.onnx",
                                       "model.h",       kConfigFile};

// The pictures of a grid beyond the first one have its kind in their names: manifold-linear.png.
bool is_other_manifold(std::string_view name) {
  return name.starts_with("manifold-") && (name.ends_with(".png") || name.ends_with(".svg"));
}

// The text that every file of this name has among its first bytes if a program wrote it; empty if the name
// says nothing about the content. The header of a table of decoded rows depends on the data (see
// write_decoded in apps/program/commands.cpp).
std::string_view mark_of(const std::string& name, const std::string& extension) {
  if (name == kMetricsFile) return "epoch,train_loss,";
  if (name == kStepsFile) return "epoch,images,loss";
  if (name == "latent.csv") return "z1";
  if (extension == ".onnx") return "\x12\x06gpuvae";  // the field producer_name
  if (extension == ".h") return "exported by gpuvae";
  if (extension == ".json") return "\"program\": ";
  if (extension == ".html") return "<meta name=\"generator\" content=\"gpuvae\">";
  if (extension == ".svg") return "data-generator=\"gpuvae\"";
  if (extension == ".png") return {"Software\0gpuvae", 15};
  return {};
}

}  // namespace

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

std::ptrdiff_t rank_of(std::string_view name) {
  const auto found = std::ranges::find(kNames, is_other_manifold(name) ? "manifold.svg" : name);
  return found == std::end(kNames) ? -1 : found - std::begin(kNames);
}

bool is_own_file(const fs::path& file) {
  const std::string_view mark = mark_of(file.filename().string(), file.extension().string());
  std::error_code ignored;
  if (mark.empty() || !fs::exists(file, ignored)) return true;
  if (!fs::is_regular_file(file, ignored)) return false;
  const std::string begin = io::read_part(file, 0, kBytesOfMark).bytes;
  return begin.empty() || begin.find(mark) != std::string::npos;
}

bool is_of_older_version(const fs::path& folder) {
  std::error_code ignored;
  const fs::path config = folder / kConfigFile;
  return fs::exists(config, ignored) && fingerprint_in(config).empty();
}

void check_own_file(const fs::path& file, const std::string& operation) {
  if (is_own_file(file) || is_of_older_version(file.parent_path())) return;
  fail(file_error(operation),
       "{}: expected a file of a run, got another one, which a run would overwrite: move it away, or choose "
       "another folder with --out",
       file.string());
}

std::string fingerprint_line(const std::string& fingerprint) {
  return fmt::format("\n{}{}\n", kFingerprintMark, fingerprint);
}

std::string fingerprint_in(const fs::path& config) {
  std::ifstream in(config);
  for (std::string line; std::getline(in, line);)
    if (line.starts_with(kFingerprintMark)) return line.substr(kFingerprintMark.size());
  return "";
}

}  // namespace gpuvae::apps
