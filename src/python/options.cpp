#include "src/python/options.h"

#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <climits>

#include "kernels/check.h"
#include "src/vae/named_distributions.h"

namespace gpuvae::python {

namespace nb = nanobind;

template <class T>
T Settings::get(const char* key, const T& missing, const char* expected) {
  used_.insert(key);
  if (!values_.contains(key)) return missing;
  const nb::object value = values_[key];
  T result{};
  check(nb::try_cast(value, result), "VAE", "expected {} as {}, got {}", expected, key,
        nb::repr(value).c_str());
  return result;
}

std::int64_t Settings::whole(const char* key, std::int64_t missing) {
  return get(key, missing, "a whole number");
}

std::uint64_t Settings::seed(const char* key) {
  return get(key, std::uint64_t{0}, "a whole number of 0 or more, below 2^64,");
}

double Settings::number(const char* key, double missing) { return get(key, missing, "a number"); }

bool Settings::flag(const char* key, bool missing) { return get(key, missing, "True or False"); }

std::string Settings::text(const char* key, const char* missing) {
  return get(key, std::string(missing), "a text");
}

std::vector<std::int64_t> Settings::widths(const char* key) {
  return get(key, std::vector<std::int64_t>(), "a sequence of whole numbers");
}

template <class E>
E Settings::choice(const char* key, E missing, E last) {
  const std::string text = this->text(key, std::string(name(missing)).c_str());
  std::string names;
  for (int i = 0; i <= static_cast<int>(last); ++i) {
    const E e = static_cast<E>(i);
    if (name(e) == text) return e;
    names += (names.empty() ? "" : ", ") + std::string(name(e));
  }
  fail("VAE", "expected one of {} as {}, got {}", names, key, text);
}

void Settings::check_all_used() const {
  std::string unknown;
  for (const auto [key, value] : values_)
    if (const std::string text = nb::cast<std::string>(key); !used_.contains(text))
      unknown += (unknown.empty() ? "" : ", ") + text;
  check(unknown.empty(), "VAE", "expected names of settings, got {}", unknown);
}

namespace {

DistributionSettings distributions_of(Settings& s) {
  DistributionSettings d;
  d.posterior_family = s.text("posterior", "gaussian");
  d.posterior.scale = s.choice("posterior_scale", d.posterior.scale, PosteriorScale::softplus);
  d.posterior.noise_std = s.number("noise_std", d.posterior.noise_std);
  d.likelihood = s.text("likelihood", "gaussian");
  const std::string mean = s.text("gaussian_mean", "identity");
  check(mean == "identity" || mean == "sigmoid", "VAE",
        "expected identity or sigmoid as gaussian_mean, got {}", mean);
  d.gaussian = {.sigmoid_mean = mean == "sigmoid",
                .low = s.number("log_variance_low", -5),
                .high = s.number("log_variance_high", 5)};
  d.sigma = s.number("sigma", d.sigma);
  d.prior = s.text("prior", "normal");
  const std::int64_t components = s.whole("prior_components", d.prior_components);
  check(components >= 1 && components <= kMaxPriorComponents, "VAE",
        "expected 1 to {} as prior_components, got {}", kMaxPriorComponents, components);
  d.prior_components = static_cast<int>(components);
  d.log_scale_low = s.number("log_scale_low", d.log_scale_low);
  d.log_scale_high = s.number("log_scale_high", d.log_scale_high);
  d.column_types = s.text("column_types", "");
  d.library_reference = s.number("library_reference", d.library_reference);
  d.log1p_counts = s.flag("log1p_counts", d.log1p_counts);
  d.missing_values = s.flag("missing_values", d.missing_values);
  return d;
}

}  // namespace

ModelSettings model_settings(Settings& s, std::int64_t features) {
  ModelSettings model;
  VaeOptions& o = model.vae;
  o.features = features;
  o.conditions = s.whole("conditions", o.conditions);
  o.encoder_widths = s.widths("hidden");
  o.decoder_widths = s.widths("decoder_hidden");
  o.latent = s.whole("latent", o.latent);
  o.activation = s.choice("activation", o.activation, all_activations().back());
  o.gated = s.flag("gated", o.gated);
  o.precision = s.choice("precision", o.precision, Precision::bf16);
  DistributionSettings distributions = distributions_of(s);
  model.exemplars = add_exemplar_slot(distributions);
  set_distributions(distributions, o, "VAE");
  Initializer& init = o.initializer;
  init.weight = s.choice("init", init.weight, WeightInit::two_over_root_fan_in);
  init.weight_std = s.number("init_std", init.weight_std);
  init.bias_std = s.number("bias_std", init.bias_std);
  init.generator = s.choice("init_generator", init.generator, InitGenerator::curand);
  init.seed = s.seed("seed");
  return model;
}

OptimizerOptions optimizer_options(Settings& s) {
  OptimizerOptions o =
      OptimizerOptions::defaults(s.choice("optimizer", OptimizerKind::adam, OptimizerKind::adamw));
  o.learning_rate = s.number("learning_rate", o.learning_rate);
  o.beta1 = s.number("beta1", o.beta1);
  o.beta2 = s.number("beta2", o.beta2);
  o.epsilon = s.number("epsilon", o.epsilon);
  o.l2 = s.number("l2", o.l2);
  o.l2_biases = s.flag("l2_biases", o.l2_biases);
  o.clip_norm = s.number("clip_norm", o.clip_norm);
  return o;
}

BatchOptions batch_options(Settings& s) {
  BatchOptions data;
  data.shuffle = !s.flag("no_shuffle", false);
  data.binarize = s.choice("binarize", data.binarize, Binarize::dynamic);
  data.threshold = s.number("threshold", data.threshold);
  data.seed = s.seed("seed");
  return data;
}

TrainOptions train_options(Settings& s) {
  TrainOptions o;
  o.batch_size = s.whole("batch_size", o.batch_size);
  o.drop_last = s.flag("drop_last", o.drop_last);
  o.data = batch_options(s);
  o.frozen_noise = s.flag("frozen_noise", o.frozen_noise);
  o.beta = s.number("beta", o.beta);
  o.warmup_epochs = s.number("warmup_epochs", o.warmup_epochs);
  o.free_bits = s.number("free_bits", o.free_bits);
  o.objective.kind = s.choice("objective", o.objective.kind, ObjectiveKind::piwae);
  o.objective.samples = s.whole("objective_samples", o.objective.samples);
  o.objective.groups = s.whole("objective_groups", o.objective.groups);
  o.objective.mix = s.number("objective_mix", o.objective.mix);
  o.objective.sampled_kl = s.flag("sampled_kl", o.objective.sampled_kl);
  o.pixel_mean = s.flag("pixel_mean", o.pixel_mean);
  o.batch_sum = s.flag("batch_sum", o.batch_sum);
  o.on_nan = s.choice("on_nan", o.on_nan, OnNan::rewind);
  o.average.decay = s.number("ema", o.average.decay);
  o.average.form = s.choice("ema_form", o.average.form, AverageForm::zero);
  const std::int64_t patience = s.whole("patience", o.patience);
  check(patience >= 0 && patience <= INT_MAX, "VAE",
        "expected a whole number of 0 or more as patience, got {}", patience);
  o.patience = static_cast<int>(patience);
  return o;
}

ScheduleSettings schedule_settings(Settings& s) {
  ScheduleSettings schedule;
  schedule.name = s.text("schedule", "constant");
  schedule.warmup_epochs = s.number("lr_warmup", schedule.warmup_epochs);
  schedule.decay_epochs = s.number("lr_decay_epochs", schedule.decay_epochs);
  schedule.decay_rate = s.number("lr_decay_rate", schedule.decay_rate);
  schedule.final_rate = s.number("lr_final", schedule.final_rate);
  return schedule;
}

bool starts_at_data(Settings& s) {
  const std::string text = s.text("output_bias", "zero");
  check(text == "zero" || text == "data", "VAE", "expected zero or data as output_bias, got {}", text);
  return text == "data";
}

}  // namespace gpuvae::python
