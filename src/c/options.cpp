#include "src/c/options.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cfloat>
#include <climits>

#include "src/c/structs.h"

namespace gpuvae::c {
namespace {

constexpr std::int64_t kMaxLayers = 1000;
constexpr std::int64_t kMaxClasses = 256;

const char* text_or(const char* text, const char* otherwise) { return text ? text : otherwise; }

bool flag(std::int64_t value, const char* what, const char* operation) {
  check(value == 0 || value == 1, operation, "expected 0 or 1 as {}, got {}", what, value);
  return value == 1;
}

double chosen(double value, double usual) { return value == GPUVAE_OPTIMIZER_DEFAULT ? usual : value; }

std::vector<std::int64_t> widths_of(const std::int64_t* widths, std::int64_t layers, const char* what,
                                    const char* operation) {
  check(layers >= 0 && layers <= kMaxLayers, operation, "expected 0 to {} as {}, got {}", kMaxLayers, what,
        layers);
  return {widths, widths + layers};
}

DistributionSettings distributions_of(const gpuvae_model_options& o, const char* operation) {
  check(o.prior_components >= 1 && o.prior_components <= kMaxPriorComponents, operation,
        "expected 1 to {} as prior_components, got {}", kMaxPriorComponents, o.prior_components);
  DistributionSettings d;
  d.posterior_family = text_or(o.posterior, "gaussian");
  d.likelihood = text_or(o.likelihood, "bernoulli");
  d.prior = text_or(o.prior, "normal");
  d.gaussian = {.sigmoid_mean = flag(o.sigmoid_mean, "sigmoid_mean", operation),
                .low = o.log_variance_low,
                .high = o.log_variance_high};
  d.sigma = o.sigma;
  d.prior_components = static_cast<int>(o.prior_components);
  d.column_types = text_or(o.column_types, "");
  check(o.library_reference >= 0 && o.library_reference <= DBL_MAX, operation,
        "expected a library_reference of 0 or more, got {}", o.library_reference);
  d.library_reference = o.library_reference;
  d.missing_values = flag(o.missing_values, "missing_values", operation);
  d.log1p_counts = flag(o.log1p_counts, "log1p_counts", operation);
  d.log_scale_low = o.log_scale_low;
  d.log_scale_high = o.log_scale_high;
  return d;
}

void set_size(const gpuvae_model_options& o, ModelDescription& model, const char* operation) {
  check(o.features >= 1 && o.features <= INT_MAX, operation, "expected 1 to {} features, got {}", INT_MAX,
        o.features);
  check(o.height >= 0 && o.features % std::max<std::int64_t>(o.height, 1) == 0, operation,
        "expected a height that divides the {} features, got {}", o.features, o.height);
  model.height = static_cast<int>(std::max<std::int64_t>(o.height, 1));
  model.width = static_cast<int>(o.features / model.height);
}

void set_condition_rules(const gpuvae_model_options& o, ModelDescription& model, const char* operation) {
  check(o.condition_columns >= 0 && o.condition_columns <= INT_MAX - o.features, operation,
        "expected 0 or more condition_columns, and fewer than 2^31 with the features, got {}",
        o.condition_columns);
  check(o.condition_columns == 0 || model.height == 1, operation,
        "expected a height of 0 or 1 with condition_columns, got {}", model.height);
  check(o.condition_classes >= 0 && o.condition_classes <= kMaxClasses, operation,
        "expected 0 to {} condition_classes, got {}", kMaxClasses, o.condition_classes);
  model.condition.columns = o.condition_columns;
  model.condition.classes = static_cast<int>(o.condition_classes);
  model.vae.conditions = model.condition.size();
}

OptimizerOptions optimizer_of(const gpuvae_train_options& o, const char* operation) {
  const auto kind = enumerator(text_or(o.optimizer, "adam"), OptimizerKind::adamw, "optimizer", operation);
  OptimizerOptions options = OptimizerOptions::defaults(kind);
  options.learning_rate = chosen(o.learning_rate, options.learning_rate);
  options.beta1 = chosen(o.beta1, options.beta1);
  options.beta2 = chosen(o.beta2, options.beta2);
  options.epsilon = chosen(o.epsilon, options.epsilon);
  options.l2 = chosen(o.l2, options.l2);
  options.clip_norm = o.clip_norm;
  return options;
}

void set_schedule(const gpuvae_train_options& o, TrainerSettings& settings, const char* operation) {
  ScheduleSettings& s = settings.schedule;
  s.name = text_or(o.schedule, "constant");
  check(std::ranges::count(schedule_names(), s.name) == 1, operation, "expected {} as schedule, got {}",
        fmt::join(schedule_names(), ", "), io::printable(s.name));
  check(o.schedule_epochs >= (depends_on_epochs(s) ? 1 : 0) && o.schedule_epochs <= INT_MAX, operation,
        "expected a schedule_epochs of {} or more for the schedule {}, got {}", depends_on_epochs(s) ? 1 : 0,
        s.name, o.schedule_epochs);
  check(o.lr_decay_rate > 0 && o.lr_decay_rate <= DBL_MAX, operation,
        "expected an lr_decay_rate above 0, got {}", o.lr_decay_rate);
  settings.schedule_epochs = static_cast<int>(o.schedule_epochs);
  s.warmup_epochs = o.lr_warmup;
  s.decay_epochs = o.lr_decay_epochs;
  s.decay_rate = o.lr_decay_rate;
  s.final_rate = o.lr_final;
}

BatchOptions batch_options(const char* binarize, double threshold, std::uint64_t seed, bool shuffle,
                           const char* operation) {
  return {.shuffle = shuffle,
          .binarize = enumerator(text_or(binarize, "none"), Binarize::dynamic, "binarize", operation),
          .threshold = threshold,
          .seed = seed};
}

}  // namespace

gpuvae_model_options default_model_options() {
  gpuvae_model_options o{};
  o.struct_size = sizeof o;
  o.features = 784;
  o.latent = 2;
  o.sigmoid_mean = 1;
  o.sigma = 0.1;
  o.log_variance_low = -5;
  o.log_variance_high = 5;
  o.prior_components = 50;
  o.log1p_counts = 1;
  o.log_scale_low = -7;
  o.log_scale_high = 2;
  return o;
}

gpuvae_train_options default_train_options() {
  gpuvae_train_options o{};
  o.struct_size = sizeof o;
  o.batch_size = 100;
  o.learning_rate = o.beta1 = o.beta2 = o.epsilon = o.l2 = GPUVAE_OPTIMIZER_DEFAULT;
  o.beta = 1;
  o.threshold = 0.5;
  o.shuffle = 1;
  o.validation_batch = 1000;
  o.objective_samples = 1;
  o.objective_groups = 1;
  o.objective_mix = 0.5;
  const ScheduleSettings schedule;
  o.lr_decay_epochs = schedule.decay_epochs;
  o.lr_decay_rate = schedule.decay_rate;
  return o;
}

gpuvae_evaluate_options default_evaluate_options() {
  gpuvae_evaluate_options o{};
  o.struct_size = sizeof o;
  o.samples = 100;
  o.threshold = 0.5;
  return o;
}

ModelDescription describe_model(const gpuvae_model_options* given, const char* operation) {
  const gpuvae_model_options o = read_struct(given, default_model_options(), operation);
  ModelDescription model;
  set_size(o, model, operation);
  set_condition_rules(o, model, operation);
  VaeOptions& vae = model.vae;
  vae.features = o.features;
  vae.latent = o.latent;
  if (o.encoder_widths)
    vae.encoder_widths = widths_of(o.encoder_widths, o.encoder_layers, "encoder_layers", operation);
  if (o.decoder_widths)
    vae.decoder_widths = widths_of(o.decoder_widths, o.decoder_layers, "decoder_layers", operation);
  vae.activation =
      enumerator(text_or(o.activation, "relu"), all_activations().back(), "activation", operation);
  vae.gated = flag(o.gated, "gated", operation);
  vae.initializer.weight =
      enumerator(text_or(o.init, "glorot_uniform"), WeightInit::two_over_root_fan_in, "init", operation);
  vae.initializer.seed = o.seed;
  model.distributions = distributions_of(o, operation);
  model.exemplars = add_exemplar_slot(model.distributions);
  set_distributions(model.distributions, vae, operation);
  model.device = text_or(o.device, "auto");
  return model;
}

TrainerSettings trainer_settings(const gpuvae_train_options* given, const char* operation) {
  const gpuvae_train_options o = read_struct(given, default_train_options(), operation);
  TrainerSettings settings;
  TrainOptions& t = settings.train;
  t.batch_size = o.batch_size;
  t.drop_last = flag(o.drop_last, "drop_last", operation);
  t.data = batch_options(o.binarize, o.threshold, o.seed, flag(o.shuffle, "shuffle", operation), operation);
  t.frozen_noise = flag(o.frozen_noise, "frozen_noise", operation);
  t.beta = o.beta;
  t.warmup_epochs = o.warmup_epochs;
  t.free_bits = o.free_bits;
  t.pixel_mean = flag(o.pixel_mean, "pixel_mean", operation);
  t.batch_sum = flag(o.batch_sum, "batch_sum", operation);
  t.validation_batch = o.validation_batch;
  t.executor = enumerator(text_or(o.executor, "auto"), Executor::fused, "executor", operation);
  t.on_nan = enumerator(text_or(o.on_nan, "stop"), OnNan::rewind, "on_nan", operation);
  t.average.decay = o.average_decay;
  t.average.form =
      enumerator(text_or(o.average_form, "warmup"), AverageForm::zero, "average_form", operation);
  check(o.patience >= 0 && o.patience <= INT_MAX, operation, "expected 0 to {} as patience, got {}", INT_MAX,
        o.patience);
  t.patience = static_cast<int>(o.patience);
  settings.data_output_bias = flag(o.data_output_bias, "data_output_bias", operation);
  t.objective.kind = enumerator(text_or(o.objective, "elbo"), ObjectiveKind::piwae, "objective", operation);
  t.objective.samples = o.objective_samples;
  t.objective.groups = o.objective_groups;
  t.objective.mix = o.objective_mix;
  t.objective.sampled_kl = flag(o.sampled_kl, "sampled_kl", operation);
  settings.optimizer = optimizer_of(o, operation);
  set_schedule(o, settings, operation);
  settings.condition = o.condition;
  settings.validation_condition = o.validation_condition;
  return settings;
}

EvaluationSettings evaluation_settings(const gpuvae_evaluate_options* given, const char* operation) {
  const gpuvae_evaluate_options o = read_struct(given, default_evaluate_options(), operation);
  check(o.batch_rows >= 0, operation, "expected a batch_rows of 0 or more, got {}", o.batch_rows);
  EvaluationSettings settings;
  settings.samples = o.samples;
  settings.evaluation.seed = o.seed;
  settings.evaluation.rows = o.batch_rows;
  settings.condition = o.condition;
  settings.evaluation.data = batch_options(o.binarize, o.threshold, o.seed, false, operation);
  return settings;
}

}  // namespace gpuvae::c
