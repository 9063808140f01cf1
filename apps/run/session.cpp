#include "apps/run/session.h"

#include <fmt/format.h>

#include <cstdio>

#include "apps/cli/settings.h"
#include "apps/run/other_data.h"
#include "gpuvae/threads.h"
#include "kernels/check.h"
#include "src/io/file.h"

namespace gpuvae::apps {
namespace {

namespace fs = std::filesystem;

Dataset first_images(const Dataset& set, std::int64_t count) {
  return count > 0 && count < set.count() ? set.slice(0, count) : set;
}

// The validation images: the test set, or the training images that --train-images leaves out.
Dataset validation_of(const Split& split, const RunConfig& c) {
  if (c.data.validation_set == "test") return first_images(split.test, c.data.validation_images);
  const std::int64_t used = c.data.train_images, rest = split.train.count() - used;
  if (used <= 0 || rest <= 0)
    throw Error("data", fmt::format("--validation-set rest expects --train-images below {}, got {}",
                                    split.train.count(), used));
  return first_images(split.train.slice(used, rest), c.data.validation_images);
}

RunConfig resolved(RunConfig c, bool bytes) {
  DistributionSettings& d = c.distributions;
  if (d.likelihood == "auto") {
    d.likelihood = bytes ? "bernoulli" : "gaussian";
    d.gaussian.sigmoid_mean = bytes;
  }
  return c;
}

}  // namespace

Session::Session(const Program& program, const RunConfig& config)
    : program_(program), config_(config), folder_(config.out), device_(Device::parse(config.device)) {
  if (config.threads > 0) set_num_threads(config.threads);
}

void Session::load_data() {
  Split split = config_.data.path.empty() ? program_.load(config_) : load_other_data(config_);
  train_ = first_images(split.train, config_.data.train_images);
  validation_ = validation_of(split, config_);
  facts_ = facts_of(train_, validation_, split);
  train_ = train_.to(device_);
  validation_ = validation_.to(device_);
  config_ = resolved(config_, facts_.bytes);
  check_values(config_, train_);
  std::fprintf(stderr, "data    %s: %lld training and %lld validation %s\n", facts_.source.c_str(),
               static_cast<long long>(train_.count()), static_cast<long long>(validation_.count()),
               has_pictures() ? fmt::format("images of {}x{}", train_.height, train_.width).c_str()
                              : fmt::format("rows of {} columns", train_.width).c_str());
  say_data(split);
}

void Session::build_model() {
  const DataDescription& d = facts_.description;
  VaeOptions options = config_.vae_options(std::int64_t{d.height} * d.width);
  if (device_.is_cpu()) options.initializer.generator = InitGenerator::philox;  // see check_generator()
  model_ = std::make_unique<Vae>(options, device_);
}

bool Session::open_model(const std::string& command) {
  std::error_code ignored;
  const fs::path file = folder_ / kModelFile;
  if (!fs::exists(file, ignored)) return false;
  const std::optional<RunDescription> run = read_description(file, program_.name);
  if (!run) return false;
  config_ = resolved(config_, run->data.bytes);
  check_same_run(command, {config_of_texts(run->settings, file.string(), program_.name, program_.presets),
                           std::nullopt});
  facts_ = run->data;
  build_model();
  const int epochs = epochs_of(load_parameters(file, model_->parameters()));
  std::fprintf(stderr, "loaded  %s, trained for %d epochs\n", file.c_str(), epochs);
  if (epochs < config_.epochs)
    std::fprintf(stderr, "note    its run has %d epochs and is not finished (--resume continues it)\n",
                 config_.epochs);
  return true;
}

std::string Session::load_data_of_model() {
  const DataFacts of_model = facts_;
  const RunConfig config = config_;
  std::string why;
  try {
    load_data();
    if (config_.data.builtin != config.data.builtin)
      why = "its files are not in --data-dir, $GPUVAE_DATA_DIR or data/";
    else if (facts_.fingerprint != of_model.fingerprint)
      why = fmt::format("{} has another training set (fingerprint {} instead of {})", facts_.source,
                        facts_.fingerprint, of_model.fingerprint);
  } catch (const Error& error) {
    why = error.what();
  }
  facts_ = of_model;
  config_ = config;
  if (why.empty()) return "";
  train_ = validation_ = {};
  return fmt::format("the data on which {} was trained ({}) are missing: {}", (folder_ / kModelFile).string(),
                     facts_.source, why);
}

std::string Session::unit() const {
  return config_.training.pixel_mean ? "nats (pixel mean)" : has_pictures() ? "nats/image" : "nats/row";
}

EvaluationOptions Session::evaluation() const {
  EvaluationOptions o;
  o.data = config_.train_options(facts_.train_count).data;
  o.seed = config_.seed;
  return o;
}

Dataset Session::images(const std::string& set, std::int64_t most) const {
  return first_images(set == "train" || validation_.count() == 0 ? train_ : validation_, most);
}

void Session::check_same_run(const std::string& command, const HeldRun& held) const {
  const bool train = command == "train";
  RunConfig mine = config_;
  if (!train) {  // these flags also describe the file of --input
    mine.data.header = held.config.data.header;
    mine.data.variable = held.config.data.variable;
  }
  const std::optional<Difference> d =
      train ? training_difference(held.config, mine) : first_difference(held.config, mine);
  if (d)
    throw Error(command, fmt::format("{0} holds a run with {1} {2}, got {1} {3}: {4}, or add --retrain",
                                     folder_.string(), d->flag, d->a, d->b,
                                     train ? "choose another folder with --out" : "give the same settings"));
  if (held.data && held.data->fingerprint != facts_.fingerprint)
    throw Error(command,
                fmt::format("{} holds a run on another training set (fingerprint {}, got {} of {}): "
                            "choose another folder with --out, or add --retrain",
                            folder_.string(), held.data->fingerprint, facts_.fingerprint, facts_.source));
}

}  // namespace gpuvae::apps
