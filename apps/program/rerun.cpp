#include "apps/program/rerun.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>

#include "kernels/check.h"
#include "src/data/counted.h"
#include "src/io/safetensors.h"

namespace gpuvae::apps {
namespace {

namespace fs = std::filesystem;

struct Comparison {
  std::int64_t elements = 0, different = 0;
  double largest = 0;  // absolute difference
};

Comparison compare(const io::TensorFile& a, const io::TensorFile& b) {
  Comparison result;
  for (std::size_t t = 0; t < a.tensors.size(); ++t) {
    const std::vector<std::byte>&x = a.tensors[t].second.bytes, &y = b.tensors.at(t).second.bytes;
    for (std::size_t at = 0; at < x.size(); at += sizeof(float), ++result.elements) {
      if (std::memcmp(x.data() + at, y.data() + at, sizeof(float)) == 0) continue;
      float first = 0, second = 0;
      std::memcpy(&first, x.data() + at, sizeof first);
      std::memcpy(&second, y.data() + at, sizeof second);
      ++result.different;
      result.largest = std::max(result.largest, std::abs(static_cast<double>(first) - second));
    }
  }
  return result;
}

}  // namespace

void rerun(const Program& program, const RunConfig& config) {
  const fs::path folder = config.out, again = folder / "rerun";
  check(!fs::exists(again), "rerun", "{} exists already: expected no such folder", again.string());
  Session first(program, config);
  check(first.open_model("rerun"), "rerun", "expected a model that carries its settings in {}, found none",
        folder.string());
  const auto metadata = io::read_safetensors_metadata(folder / kModelFile);
  const int epochs = epochs_of(metadata);
  check(is_finished(metadata, config.epochs), "rerun", "expected a finished run of {}, got one of {}",
        counted(config.epochs, "epoch"), epochs);
  check(first.processes() == "1", "rerun",
        "expected a run of one process, got one of {}, which sum the gradients in another order: the same "
        "mpirun command with another --out repeats it",
        first.processes());
  const std::string why = first.load_data_of_model();
  check(why.empty(), file_error("rerun"), "{}", why);
  RunConfig same = first.config();
  same.out = again.string();
  Command train;
  train.name = "rerun";
  Session(program, same).train_or_reload(train);
  const Comparison c =
      compare(io::read_safetensors(folder / kModelFile), io::read_safetensors(again / kModelFile));
  check(c.different == 0, "rerun",
        "expected the bits of {}, got {} of {} weights that differ, by up to {:.3g}: another device or "
        "version computes other bits ({} has the new model)",
        (folder / kModelFile).string(), c.different, c.elements, c.largest, again.string());
  std::printf("same bits  %s after %s\n", counted(c.elements, "weight").c_str(),
              counted(epochs, "epoch").c_str());
  fs::remove_all(again);
}

}  // namespace gpuvae::apps
