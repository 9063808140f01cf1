#include "apps/run/metrics_file.h"

#include <fmt/ranges.h>

#include <charconv>
#include <climits>
#include <cstdio>
#include <sstream>

#include "kernels/check.h"
#include "src/data/counted.h"
#include "src/io/file.h"

namespace gpuvae::apps {
namespace {

const std::vector<std::string> kColumns = {"epoch",    "train_loss",    "train_reconstruction",
                                           "train_kl", "val_loss",      "val_reconstruction",
                                           "val_kl",   "train_seconds", "val_seconds"};

const std::vector<std::string> kStepColumns = {"epoch", "images", "loss", "reconstruction", "kl"};

// Returns the rows of an existing steps.csv up to `position`, or nothing if the file has other columns.
std::string steps_until(const std::filesystem::path& path, const StepLog::Position& position) try {
  std::istringstream in(io::read_file(path));
  std::string kept;
  bool begun = false;
  for (std::string line; std::getline(in, line);) {
    if (!begun) {
      begun = line == fmt::format("{}", fmt::join(kStepColumns, ","));
      continue;
    }
    long long epoch = 0, images = 0;
    if (std::sscanf(line.c_str(), "%lld,%lld,", &epoch, &images) != 2) return "";
    if (epoch > position.epoch || (epoch == position.epoch && images > position.images)) break;
    kept += line + "\n";
  }
  return kept;
} catch (const Error&) {
  return "";
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
                         const std::vector<EpochResult>& before, bool deferred)
    : csv_(path, kColumns, comments(pixel_mean), {.sync = io::Sync::no, .deferred = true}) {
  for (const EpochResult& r : before) csv_.append(row(r));
  if (!deferred) start();
}

void MetricsFile::append(const EpochResult& r) { csv_.append(row(r)); }

void MetricsFile::sync() {
  csv_.set_sync(io::Sync::yes);
  csv_.start();
  csv_.set_sync(io::Sync::no);
}

std::string rows_text(const std::vector<EpochResult>& epochs) {
  std::string text;
  for (const EpochResult& r : epochs) text += fmt::format("{}\n", fmt::join(row(r), ","));
  return text;
}

std::vector<EpochResult> rows_of_text(const std::string& text, const std::string& where) {
  std::istringstream in(text);
  std::vector<EpochResult> epochs;
  for (std::string line; std::getline(in, line);) {
    if (line.ends_with('\r')) line.pop_back();
    if (line.empty() || line[0] == '#' || line[0] == 'e') continue;
    std::vector<double> v;
    const char *at = line.data(), *end = at + line.size();
    for (double x = 0; at <= end;) {
      const auto [next, error] = std::from_chars(at, end, x);
      if (error != std::errc()) break;
      v.push_back(x);
      at = next + 1;
    }
    check(v.size() == kColumns.size() && v[0] >= 1 && v[0] <= INT_MAX, file_error("read"),
          "{}: expected {} numbers per row, the first an epoch, got \"{}\"", where, kColumns.size(), line);
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

std::vector<EpochResult> read_metrics(const std::filesystem::path& path) {
  return rows_of_text(io::read_file(path), path.string());
}

// The rows are written too often to wait for the disk; a loss of power may cost the last ones.
StepLog::StepLog(const std::filesystem::path& path, const RunConfig& c, const Position& position,
                 bool deferred)
    : beta_(c.training.beta), last_(position) {
  csv_.emplace(path, kStepColumns,
               std::vector{fmt::format("mean nats per image over the last {}; with beta 1, the loss is -ELBO",
                                       counted(c.log_every, "step"))},
               io::CsvOptions{.rows = position.epoch > 0 ? steps_until(path, position) : "",
                              .sync = io::Sync::no,
                              .deferred = deferred});
}

void StepLog::update(int epoch, std::int64_t images, const Losses& so_far) {
  if (epoch != last_.epoch) last_ = {.epoch = epoch};
  const double n = static_cast<double>(images), before = static_cast<double>(last_.images), d = n - before;
  const double reconstruction = (so_far.reconstruction * n - last_.so_far.reconstruction * before) / d;
  const double kl = (so_far.kl * n - last_.so_far.kl * before) / d;
  csv_->append({double(epoch), n, reconstruction + beta_ * kl, reconstruction, kl});
  last_ = {epoch, images, so_far};
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
