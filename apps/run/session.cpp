#include "apps/run/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <set>

#include "apps/cli/data_flags.h"
#include "apps/cli/settings.h"
#include "apps/cli/text.h"
#include "apps/run/other_data.h"
#include "apps/run/ranks.h"
#include "gpuvae/threads.h"
#include "kernels/check.h"
#include "src/data/counted.h"
#include "src/io/file.h"
#include "src/io/printable.h"
#include "src/vae/column_types.h"

namespace gpuvae::apps {
namespace {

namespace fs = std::filesystem;

Dataset first_rows(const Dataset& set, std::int64_t count) {
  return count > 0 && count < set.count() ? set.slice(0, count) : set;
}

// The validation images: the test set, or the training images that --train-images leaves out.
Dataset validation_of(const Split& split, const RunConfig& c) {
  if (c.data.validation_set == "test") return first_rows(split.test, c.data.validation_images);
  const std::int64_t used = c.data.train_images, rest = split.train.count() - used;
  if (used <= 0 || rest <= 0)
    throw Error("data", fmt::format("--validation-set rest expects --train-images below {}, got {}",
                                    split.train.count(), used));
  return first_rows(split.train.slice(used, rest), c.data.validation_images);
}

// Prepares the data for --condition: moves the named columns last, refuses missing values in them, and counts
// the classes.
void set_condition(Split& split, const RunConfig& c) {
  if (c.data.condition.empty()) return;
  std::vector<std::string> names = parts_of(c.data.condition, ',');
  const bool by_class = std::erase(names, "label") > 0;
  if (!names.empty()) {
    check(c.training.data.binarize == Binarize::none, "data",
          "--condition with columns expects --binarize none, got {}", name(c.training.data.binarize));
    for (const std::string& column : names)
      check(
          c.data.columns.empty() || std::ranges::count(split.description.column_names, column) > 0, "data",
          "expected --columns to include the column {0} of --condition, got --columns {1}: the condition is "
          "taken from the columns that are read",
          io::printable(column), io::printable(c.data.columns));
    move_columns_last(split, names);
    for (const Dataset* set : {&split.train, &split.test})
      check_conditions(*set, split.description, c.data.path.empty() ? split.source : c.data.path);
  }
  if (!by_class) return;
  check(split.train.examples && split.test.examples, "data",
        "--condition label expects --data-placement memory, got examples that stay in {}", split.source);
  check(!split.train.labels.empty(), "data",
        "--condition label expects data with labels (--label-column for a table), got {}", split.source);
  int classes = static_cast<int>(split.description.class_names.size());
  for (const Dataset* set : {&split.train, &split.test})
    for (const std::uint8_t label : set->labels) classes = std::max(classes, label + 1);
  split.description.condition_classes = classes;
}

// Returns the labels of a set in ascending order.
std::vector<int> distinct_labels(const Dataset& set) {
  const std::set<int> labels(set.labels.begin(), set.labels.end());
  return {labels.begin(), labels.end()};
}

// Returns the labels of the training set if they are fewer than the classes of the condition; else none.
std::vector<int> labels_with_gaps(const Dataset& train, int classes) {
  const std::vector<int> labels = distinct_labels(train);
  return std::ssize(labels) < classes ? labels : std::vector<int>();
}

// The names of labels, separated by commas.
std::string label_list(const std::vector<int>& labels, const std::vector<std::string>& names) {
  std::string text;
  for (const int label : labels) {
    const auto at = static_cast<std::size_t>(label);
    text += (text.empty() ? "" : ", ") + (at < names.size() ? names[at] : std::to_string(label));
  }
  return io::printable(text);
}

// Replaces what the settings leave open by what the data say. `data` describes the features without the
// condition.
RunConfig resolved(RunConfig c, const DataDescription& data, bool bytes) {
  DistributionSettings& d = c.distributions;
  const std::int64_t features = std::int64_t{data.height} * data.width;
  if (!c.data.library_size.empty() && d.likelihood != "columns") {
    check(d.likelihood != "auto" && named_likelihood(d.likelihood).is_count(), "data",
          "--library-size expects a likelihood of counts, got --likelihood {}", d.likelihood);
    d.column_types =
        column_types_with_library(d.likelihood, c.data.library_size, data.column_names, features, "data");
    d.likelihood = "columns";
  }
  if (d.likelihood == "auto" && !d.column_types.empty()) d.likelihood = "columns";
  if (d.likelihood == "columns" && !d.column_types.empty())
    d.column_types = numbered_column_types(d.column_types, data.column_names, "data");
  if (d.likelihood == "auto") d.likelihood = bytes ? "bernoulli" : "gaussian";
  if (c.gaussian_mean == GaussianMean::automatic) {
    const bool unit = bytes || named_likelihood(d.likelihood).values == LikelihoodValues::unit;
    c.set_gaussian_mean(unit ? GaussianMean::sigmoid : GaussianMean::identity);
  }
  return c;
}

}  // namespace

Session::Session(const Program& program, const RunConfig& config)
    : program_(program), config_(config), folder_(config.out), device_(device_of_rank(config.device)) {
  if (config.threads > 0) set_num_threads(config.threads);
}

void Session::load_data() {
  Split split = config_.data.path.empty() ? program_.load(config_) : load_other_data(config_);
  if (const std::optional<std::uint64_t> seed = parse_seed(config_.data.split_seed)) {
    check(program_.shuffles_splits, "data", "{} does not take --split-seed: its data have a test set",
          program_.name);
    check(split.train.examples && split.test.examples, "data",
          "--split-seed expects --data-placement memory, got examples that stay in {}", split.source);
    const std::int64_t test = config_.data.validation_images;
    split = shuffled_split(split, *seed, test > 0 ? test : split.test.count());
  }
  split.description.height = split.train.height;
  split.description.width = split.train.width;
  set_condition(split, config_);
  check(config_.data.placement != Placement::file || split.train.source, "data",
        "--data-placement file expects an uncompressed NPY or IDX file, got {}", split.source);
  const ValueRange& values = split.description.values;
  // Bytes are numbers if values may be missing.
  const bool bytes = split.train.dtype() == DType::u8 || (split.description.missing_values && values.scaled &&
                                                          values.low == 0 && values.high == 255);
  config_ = resolved(config_, without_condition(split.description), bytes);
  if (!config_.distributions.column_types.empty() && config_.data.standardize)
    standardize_columns(split, config_);
  train_ = first_rows(split.train, config_.data.train_images);
  validation_ = validation_of(split, config_);
  if (config_.data.validation_set != "test") test_ = conditioned(split.test).to(device_);
  facts_ = facts_of(train_, validation_, split);
  facts_.class_labels = labels_with_gaps(train_, split.description.condition_classes);
  if (const std::vector<int> others = labels_outside_training(validation_); !others.empty())
    std::fprintf(stderr, "note    the training set has no example of the classes %s of the validation set\n",
                 label_list(others, class_names()).c_str());
  train_ = conditioned(train_).to(device_);
  validation_ = conditioned(validation_).to(device_);
  check_values(config_, train_, facts_.description);
  if (validation_.defined() && validation_.count() > 0)
    check_values(config_, validation_, facts_.description);
  set_library_reference();
  std::fprintf(stderr, "data    %s: %lld training and %lld validation %s\n", facts_.source.c_str(),
               static_cast<long long>(train_.count()), static_cast<long long>(validation_.count()),
               has_pictures() ? fmt::format("images of {}x{}", train_.height, train_.width).c_str()
                              : ("rows of " + counted(train_.width, "column")).c_str());
  say_data(split, config_);
}

// Counts are decoded at the mean library size of the training rows unless the settings say otherwise.
void Session::set_library_reference() {
  DistributionSettings& d = config_.distributions;
  if (d.column_types.empty() || d.library_reference > 0) return;
  const std::int64_t column = library_column(parse_column_types(d.column_types, "data"));
  if (column >= 0) d.library_reference = mean_library_size(train_, column);
}

VaeOptions Session::model_options() const {
  const DataDescription& d = facts_.description;
  RunConfig config = config_;
  if (config.distributions.prior == "exemplar") {
    check(has_data(), "model", "expected the training data for the exemplar prior, got none");
    config.distributions.exemplar_prior = exemplar_prior(
        train_, {.per_step = config.distributions.prior_components, .data = evaluation().data});
  }
  VaeOptions options = config.vae_options(std::int64_t{d.height} * d.width - d.condition_columns);
  options.conditions = d.condition_columns + d.condition_classes;
  if (device_.is_cpu()) options.initializer.generator = InitGenerator::philox;  // see check_generator()
  return options;
}

void Session::build_model() { model_ = std::make_unique<Vae>(model_options(), device_); }

bool Session::open_model(const std::string& command) {
  std::error_code ignored;
  const fs::path file = folder_ / kModelFile;
  if (!fs::exists(file, ignored)) return false;
  std::optional<RunDescription> run = read_description(file, program_.name);
  const bool described = run.has_value();
  if (!run) run = description_beside_model();
  if (!run) {
    check(fs::exists(folder_ / kConfigFile, ignored), file_error(command),
          "{}: expected a model whose metadata describe its run, got one without (another program may have "
          "dropped them), and no {} beside it: copy that file of the run into the folder",
          file.string(), kConfigFile);
    return false;
  }
  config_ = resolved(config_, without_condition(run->data.description), run->data.bytes);
  HeldRun held{config_of_texts(run->settings, file.string(), program_.name, program_.presets), "", {}};
  if (!described) held.config.epochs = config_.epochs;  // a checkpoint may be older than config.toml
  // A model that Python or C trained on an array does not name its data, which an exemplar prior needs.
  if (held.config.data.path.empty() && run->data.source.starts_with("an array"))
    held.config.data = config_.data;
  check_same_run(command, held);
  facts_ = run->data;
  if (config_.distributions.prior == "exemplar") {
    const std::string why = load_data_of_model();
    check(why.empty(), file_error(command), "the model has an exemplar prior, but {}", why);
  }
  check_model_fits(model_options(), file);
  build_model();
  const std::map<std::string, std::string> metadata = load_parameters(file, model_->parameters());
  const int epochs = epochs_of(metadata);
  processes_ = processes_of(metadata);
  best_epoch_ = best_epoch_of(metadata);
  if (!described)
    std::fprintf(stderr, "note    %s does not describe its run: the checkpoint beside it does\n",
                 file.c_str());
  std::fprintf(stderr, "loaded  %s%s\n", file.c_str(),
               epochs < 0 ? "" : (", trained for " + counted(epochs, "epoch")).c_str());
  if (best_epoch_ > 0) std::fprintf(stderr, "note    its weights are those of epoch %d\n", best_epoch_);
  if (epochs >= 0 && !is_finished(metadata, config_.epochs) && epochs < config_.epochs)
    std::fprintf(stderr, "note    its run has %s and is not finished (--resume continues it)\n",
                 counted(config_.epochs, "epoch").c_str());
  return true;
}

std::string Session::load_data_of_model() {
  const TrainingData of_model = facts_;
  const RunConfig config = config_;
  std::string what;
  try {
    load_data();
    if (config_.data.builtin != config.data.builtin)
      what = "are missing: their files are not in --data-dir, $GPUVAE_DATA_DIR or data/";
    else if (facts_.fingerprint != of_model.fingerprint)
      what = fmt::format("have changed: the training set of {} had the fingerprint {} and now has {}",
                         facts_.source, of_model.fingerprint, facts_.fingerprint);
  } catch (const Error& error) {
    what = fmt::format("cannot be read: {}", error.what());
  }
  facts_ = of_model;
  config_ = config;
  if (what.empty()) return "";
  train_ = validation_ = {};
  return fmt::format("the data on which {} was trained ({}) {}", (folder_ / kModelFile).string(),
                     facts_.source, what);
}

DataDescription Session::feature_description() const { return without_condition(facts_.description); }

std::vector<int> Session::labels_outside_training(const Dataset& set) const {
  if (facts_.class_labels.empty()) return {};
  std::vector<int> others = distinct_labels(set);
  std::erase_if(others, [&](int label) {
    return std::ranges::find(facts_.class_labels, label) != facts_.class_labels.end();
  });
  return others;
}

void Session::check_classes(const Dataset& set, const std::string& operation) const {
  const std::vector<int> others = labels_outside_training(set);
  check(others.empty(), operation, "expected the classes of the training data ({}), got {}",
        label_list(facts_.class_labels, class_names()), label_list(others, class_names()));
}

Dataset Session::conditioned(const Dataset& set) const {
  const int classes = facts_.description.condition_classes;
  return classes > 0 && set.defined() ? with_class_codes(set, classes) : set;
}

std::string Session::unit() const {
  if (config_.training.pixel_mean) return has_pictures() ? "nats (pixel mean)" : "nats (column mean)";
  return has_pictures() ? "nats/image" : "nats/row";
}

EvaluationOptions Session::evaluation() const {
  EvaluationOptions o;
  o.data = config_.train_options(facts_.train_count).data;
  o.seed = config_.seed;
  return o;
}

Dataset Session::images(const std::string& set, std::int64_t most) const {
  if (set == "test") {
    check(test_.defined(), "data",
          "--set test expects a run with --validation-set rest and --train-images, which validates on other "
          "{0} "
          "than its test set: the validation {0} of this run are its test set",
          has_pictures() ? "images" : "rows");
    return first_rows(test_, most);
  }
  return first_rows(set == "train" || validation_.count() == 0 ? train_ : validation_, most);
}

}  // namespace gpuvae::apps
