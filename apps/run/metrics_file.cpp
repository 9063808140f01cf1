#include "apps/run/metrics_file.h"

#include <fmt/format.h>

#include <charconv>
#include <sstream>

#include "gpuvae/error.h"
#include "src/io/file.h"
#include "src/io/table.h"

namespace gpuvae::apps {
namespace {

const std::vector<std::string> kColumns = {"epoch",    "train_loss",    "train_reconstruction",
                                           "train_kl", "val_loss",      "val_reconstruction",
                                           "val_kl",   "train_seconds", "val_seconds"};

const std::vector<std::string> kStepColumns = {"epoch", "images", "loss", "reconstruction", "kl"};

// The rows of an existing steps.csv, or none if it has other columns.
std::vector<double> read_steps(const std::filesystem::path& path) try {
  const io::Table table = io::read_csv(path);
  return table.columns == kStepColumns ? table.values : std::vector<double>{};
} catch (const Error&) {
  return {};
}

std::vector<std::string> comments(bool pixel_mean) {
  return {pixel_mean
              ? "reconstruction: mean over the pixels, kl: sum over the latent dimensions, nats; not an ELBO"
              : "losses: nats per image, mean over the images; loss = reconstruction + beta * kl = -ELBO "
                "at beta 1",
          "train_*: means over the epoch, while the weights change; val_*: after the epoch"};
}

std::vector<double> row(const EpochResult& r) {
  const Losses &t = r.train, &v = r.validation;
  return {
      double(r.epoch),     t.loss, t.reconstruction, t.kl, v.loss, v.reconstruction, v.kl, r.train_seconds,
      r.validation_seconds};
}

}  // namespace

MetricsFile::MetricsFile(const std::filesystem::path& path, bool pixel_mean,
                         const std::vector<EpochResult>& before)
    : csv_(path, kColumns, comments(pixel_mean)) {
  for (const EpochResult& r : before) append(r);
}

void MetricsFile::append(const EpochResult& r) { csv_.append(row(r)); }

std::vector<EpochResult> read_metrics(const std::filesystem::path& path) {
  std::istringstream in(io::read_file(path));
  std::vector<EpochResult> epochs;
  for (std::string line; std::getline(in, line);) {
    if (line.empty() || line[0] == '#' || line[0] == 'e') continue;
    std::vector<double> v;
    const char *at = line.data(), *end = at + line.size();
    for (double x = 0; at <= end;) {
      const auto [next, error] = std::from_chars(at, end, x);
      if (error != std::errc()) break;
      v.push_back(x);
      at = next + 1;
    }
    if (v.size() != kColumns.size())
      throw Error("read", fmt::format("{}: expected {} numbers per row, got \"{}\"", path.string(),
                                      kColumns.size(), line));
    EpochResult r;
    r.epoch = static_cast<int>(v[0]);
    r.train = {v[1], v[2], v[3]};
    r.validation = {v[4], v[5], v[6]};
    r.train_seconds = v[7];
    r.validation_seconds = v[8];
    epochs.push_back(r);
  }
  return epochs;
}

StepLog::StepLog(const std::filesystem::path& path, const RunConfig& c, int epochs_done)
    : beta_(c.training.beta) {
  const std::vector<double> before = epochs_done > 0 ? read_steps(path) : std::vector<double>{};
  csv_.emplace(path, kStepColumns,
               std::vector{fmt::format("means over the last {} steps, an image; minus the loss is the bound",
                                       c.log_every)});
  const std::size_t width = kStepColumns.size();
  for (auto row = before.begin(); row != before.end() && *row <= epochs_done; row += width)
    csv_->append({row, row + width});
}

void StepLog::update(int epoch, std::int64_t images, const Losses& so_far) {
  if (epoch != epoch_) {
    epoch_ = epoch;
    epoch_images_ = 0;
    sums_ = {};
  }
  const double n = static_cast<double>(images), before = static_cast<double>(epoch_images_), d = n - before;
  const double reconstruction = (so_far.reconstruction * n - sums_.reconstruction * before) / d;
  const double kl = (so_far.kl * n - sums_.kl * before) / d;
  csv_->append({double(epoch), n, reconstruction + beta_ * kl, reconstruction, kl});
  epoch_images_ = images;
  sums_ = so_far;
}

EpochLine epoch_line(const EpochResult& r, bool validated, double beta) {
  EpochLine line;
  line.epoch = r.epoch;
  line.beta = beta;
  line.train = r.train.loss;
  line.reconstruction = r.train.reconstruction;
  line.kl = r.train.kl;
  line.seconds = r.train_seconds;
  if (!validated) return line;
  line.val = r.validation.loss;
  line.reconstruction = r.validation.reconstruction;
  line.kl = r.validation.kl;
  return line;
}

}  // namespace gpuvae::apps
