#include "apps/run/metrics_file.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <climits>
#include <cmath>
#include <cstdio>
#include <span>
#include <sstream>
#include <string_view>

#include "kernels/check.h"
#include "src/data/counted.h"
#include "src/io/file.h"
#include "src/io/printable.h"

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

std::string loss_comment(const TrainOptions& options) {
  if (options.pixel_mean)
    return "reconstruction: mean over the pixels, kl: sum over the latent dimensions, nats; not an ELBO";
  if (options.objective.is_importance_weighted())
    return fmt::format(
        "losses: nats per example, mean over the examples; loss = -objective ({}); reconstruction and kl: "
        "means "
        "over "
        "the draws",
        objective_text(options.objective));
  return "losses: nats per example, mean over the examples; loss = reconstruction + beta * kl = -ELBO at "
         "beta 1";
}

std::vector<std::string> comments(const TrainOptions& options) {
  return {loss_comment(options),
          "train_*: means over the epoch, while the weights change; val_*: after the epoch"};
}

const std::string kSkippedColumn = "skipped_steps", kRewindsColumn = "rewinds";
// The columns that --on-nan adds. The text of rows_text has both or none.
const std::vector<std::string> kFaultColumns = {kSkippedColumn, kRewindsColumn};

bool any_skipped(const std::vector<EpochResult>& epochs) {
  return std::ranges::any_of(epochs, [](const EpochResult& r) { return r.skipped > 0; });
}
bool any_rewinds(const std::vector<EpochResult>& epochs) {
  return std::ranges::any_of(epochs, [](const EpochResult& r) { return r.rewinds > 0; });
}

std::vector<double> row(const EpochResult& r, bool skipped, bool rewinds) {
  const Losses &t = r.train, &v = r.validation;
  std::vector<double> numbers = {
      double(r.epoch),     t.loss, t.reconstruction, t.kl, v.loss, v.reconstruction, v.kl, r.train_seconds,
      r.validation_seconds};
  if (skipped) numbers.push_back(static_cast<double>(r.skipped));
  if (rewinds) numbers.push_back(r.rewinds);
  return numbers;
}

std::vector<std::string> columns(bool skipped, bool rewinds, bool bits) {
  std::vector<std::string> names = kColumns;
  if (skipped) names.push_back(kSkippedColumn);
  if (rewinds) names.push_back(kRewindsColumn);
  if (bits) names.insert(names.end(), {"train_bits_per_dimension", "val_bits_per_dimension"});
  return names;
}

// The names of the columns after the first ones, which every file has.
std::vector<std::string> further_columns(const std::string& header) {
  std::istringstream in(header);
  std::vector<std::string> names;
  for (std::string name; std::getline(in, name, ',');) names.push_back(name);
  names.erase(names.begin(),
              names.begin() + static_cast<std::ptrdiff_t>(std::min(names.size(), kColumns.size())));
  return names;
}

// Returns the numbers of a row, or nothing if anything but commas separates them.
std::vector<double> numbers_of(std::string_view line) {
  std::vector<double> numbers;
  const char *at = line.data(), *const end = at + line.size();
  for (double x = 0;; ++at) {
    const auto [next, error] = std::from_chars(at, end, x);
    if (error != std::errc() || (next != end && *next != ',')) return {};
    numbers.push_back(x);
    if (next == end) return numbers;
    at = next;
  }
}

bool is_whole(double x, double low, double high) { return x >= low && x <= high && x == std::trunc(x); }

// Sets the counts of the columns after the first ones. Returns false if one is no count.
bool set_counts(const std::vector<std::string>& names, std::span<const double> numbers, EpochResult& r) {
  constexpr double kMaxSteps = 9007199254740992;  // 2^53: every whole number up to here is a double
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] == kSkippedColumn) {
      if (!is_whole(numbers[i], 0, kMaxSteps)) return false;
      r.skipped = static_cast<std::uint64_t>(numbers[i]);
    }
    if (names[i] == kRewindsColumn) {
      if (!is_whole(numbers[i], 0, INT_MAX)) return false;
      r.rewinds = static_cast<int>(numbers[i]);
    }
  }
  return true;
}

}  // namespace

MetricsFile::MetricsFile(const std::filesystem::path& path, const TrainOptions& options,
                         const std::vector<EpochResult>& before, bool deferred, std::int64_t features)
    : skipped_(options.on_nan == OnNan::skip || any_skipped(before)),
      rewinds_(options.on_nan == OnNan::rewind || any_rewinds(before)),
      features_(features),
      csv_(path, columns(skipped_, rewinds_, features > 0), comments(options),
           {.sync = io::Sync::no, .deferred = true}) {
  for (const EpochResult& r : before) append(r);
  if (!deferred) start();
}

void MetricsFile::append(const EpochResult& r) {
  std::vector<double> numbers = row(r, skipped_, rewinds_);
  const double nats = std::log(2.0) * static_cast<double>(features_);
  if (features_ > 0) numbers.insert(numbers.end(), {r.train.loss / nats, r.validation.loss / nats});
  csv_.append(numbers);
}

void MetricsFile::sync() {
  csv_.set_sync(io::Sync::yes);
  csv_.start();
  csv_.set_sync(io::Sync::no);
}

std::string rows_text(const std::vector<EpochResult>& epochs) {
  std::string text;
  const bool faults = any_skipped(epochs) || any_rewinds(epochs);
  for (const EpochResult& r : epochs) text += fmt::format("{}\n", fmt::join(row(r, faults, faults), ","));
  return text;
}

std::vector<EpochResult> rows_of_text(const std::string& text, const std::string& where) {
  std::istringstream in(text);
  std::vector<EpochResult> epochs;
  std::vector<std::string> further;
  for (std::string line; std::getline(in, line);) {
    if (line.ends_with('\r')) line.pop_back();
    if (line.empty() || line[0] == '#') continue;
    if (line[0] == 'e') {
      further = further_columns(line);
      continue;
    }
    const std::vector<double> v = numbers_of(line);
    if (further.empty() && v.size() == kColumns.size() + kFaultColumns.size()) further = kFaultColumns;
    const std::size_t expected = kColumns.size() + further.size();
    check(v.size() == expected && is_whole(v[0], 1, INT_MAX), file_error("read"),
          "{}: expected {} numbers per row, the first an epoch, got \"{}\"", where, expected,
          io::printable(line));
    EpochResult r;
    r.epoch = static_cast<int>(v[0]);
    r.train = {v[1], v[2], v[3]};
    r.validation = {v[4], v[5], v[6]};
    r.train_seconds = v[7];
    r.validation_seconds = v[8];
    check(set_counts(further, std::span(v).subspan(kColumns.size()), r), file_error("read"),
          "{}: expected whole numbers of skipped steps and rewinds, got \"{}\"", where, io::printable(line));
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
    : beta_(c.training.beta), weighted_(c.training.objective.is_importance_weighted()), last_(position) {
  csv_.emplace(
      path, kStepColumns,
      std::vector{fmt::format("mean nats per example over the last {}; {}", counted(c.log_every, "step"),
                              weighted_ ? "the loss is -objective" : "with beta 1, the loss is -ELBO")},
      io::CsvOptions{.rows = position.epoch > 0 ? steps_until(path, position) : "",
                     .sync = io::Sync::no,
                     .deferred = deferred});
}

void StepLog::update(int epoch, std::int64_t images, const Losses& so_far) {
  if (epoch != last_.epoch) last_ = {.epoch = epoch};
  const double n = static_cast<double>(images), before = static_cast<double>(last_.images), d = n - before;
  if (d <= 0) return;  // all steps since the last row were skipped (--on-nan skip)
  const double reconstruction = (so_far.reconstruction * n - last_.so_far.reconstruction * before) / d;
  const double kl = (so_far.kl * n - last_.so_far.kl * before) / d;
  const double loss =
      weighted_ ? (so_far.loss * n - last_.so_far.loss * before) / d : reconstruction + beta_ * kl;
  csv_->append({double(epoch), n, loss, reconstruction, kl});
  last_ = {epoch, images, so_far};
}

EpochLine epoch_line(const EpochResult& r, bool validated, const TrainOptions& options) {
  EpochLine line;
  line.epoch = r.epoch;
  line.beta = options.beta;
  line.is_sum = !options.objective.is_importance_weighted();
  line.train = r.train.loss;
  line.reconstruction = r.train.reconstruction;
  line.kl = r.train.kl;
  line.seconds = r.train_seconds;
  if (!validated) return line;
  line.best = r.best;
  line.val = r.validation.loss;
  line.reconstruction = r.validation.reconstruction;
  line.kl = r.validation.kl;
  return line;
}

}  // namespace gpuvae::apps
