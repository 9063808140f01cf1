#include "apps/common/options.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>

#include "apps/common/grid.h"

namespace gpuvae::apps {
namespace {

template <class E>
std::string listed(E last) {
  std::string text;
  for (int i = 0; i <= static_cast<int>(last); ++i)
    text += (i ? "|" : "") + std::string(name(static_cast<E>(i)));
  return text;
}

// An option over an enumeration: its names in the help, in the file and on the command line.
template <class E>
void add_choice(CLI::App& app, const std::string& flag, E& value, E last, const std::string& description,
                const std::string& group) {
  app.add_option_function<std::string>(
         flag,
         [&value, last](const std::string& text) {
           for (int i = 0; i <= static_cast<int>(last); ++i)
             if (text == name(static_cast<E>(i))) value = static_cast<E>(i);
         },
         description)
      ->check(CLI::IsMember([last] {
                std::vector<std::string> all;
                for (int i = 0; i <= static_cast<int>(last); ++i) all.emplace_back(name(static_cast<E>(i)));
                return all;
              }())
                  .description(""))
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast)
      ->type_name(listed(last))
      ->default_str(std::string(name(value)))
      ->group(group);
}

// "512,256"; a part that is not a number becomes 0.
std::vector<std::int64_t> parse_widths(const std::string& text) {
  std::vector<std::int64_t> widths;
  for (const std::string& part : text.empty() ? std::vector<std::string>{} : CLI::detail::split(text, ',')) {
    std::int64_t width = 0;
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), width);
    widths.push_back(error == std::errc() && end == part.data() + part.size() ? width : 0);
  }
  return widths;
}

struct Binder {
  CLI::App& app;
  std::string group;

  template <class T>
  CLI::Option* value(const std::string& flag, T& variable, const std::string& description,
                     const std::string& type = "") {
    CLI::Option* option = app.add_option(flag, variable, description)->capture_default_str()->group(group);
    if constexpr (std::is_same_v<T, double>) option->default_str(fmt::format("{}", variable));  // every digit
    option->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    return type.empty() ? option : option->type_name(type);
  }
  void flag(const std::string& flag, bool& variable, const std::string& description) {
    app.add_flag(flag, variable, description)->default_str(variable ? "true" : "false")->group(group);
  }
  void widths(const std::string& flag, std::vector<std::int64_t>& variable, const std::string& description) {
    app.add_option_function<std::string>(
           flag, [&variable](const std::string& text) { variable = parse_widths(text); }, description)
        ->check([](const std::string& text) {
          const std::vector<std::int64_t> widths = parse_widths(text);
          const bool sound = std::all_of(widths.begin(), widths.end(), [](auto w) { return w > 0; });
          return sound ? "" : "expected widths of 1 or more such as 512,256, got " + text;
        })
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast)
        ->default_str(fmt::format("{}", fmt::join(variable, ",")))
        ->type_name("N,N,...")
        ->group(group);
  }
  void names(const std::string& flag, std::string& variable, const std::vector<std::string>& all,
             const std::string& description) {
    value(flag, variable, description, fmt::format("{}", fmt::join(all, "|")))
        ->check(CLI::IsMember(all).description(""));
  }
  template <class E>
  void choice(const std::string& flag, E& variable, E last, const std::string& description) {
    add_choice(app, flag, variable, last, description, group);
  }
};

// Each with what it does.
const std::vector<std::pair<std::string, std::string>> kCommands = {
    {"train", "trains, or goes on, or finds the run done; draws everything"},
    {"eval", "ELBO, KL by dimension, collapse, -log p(x) (--importance-samples): eval.json"},
    {"encode", "images to latent codes: latent.csv"},
    {"decode", "latent codes (--z, --input) to images"},
    {"reconstruct", "images through the latent space and back"},
    {"sample", "images of codes from the prior"},
    {"manifold", "the grids of --manifold"},
    {"explore", "explorer.html, which decodes under the pointer"}};

std::vector<std::string> command_names() {
  std::vector<std::string> names;
  for (const auto& [name, description] : kCommands) names.push_back(name);
  return names;
}

const auto kAtLeastOne = CLI::Range(std::int64_t{1}, std::int64_t{1} << 40, "at least 1");
const auto kPositive = CLI::Range(1e-300, 1e300, "above 0");
const auto kNotNegative = CLI::Range(0.0, 1e300, "0 or more");

void bind_run(CLI::App& app, RunConfig& c) {
  Binder b{app, "Run"};
  b.value("--seed", c.seed, "of weights, order and noise; a run repeats bit for bit", "N");
  b.value("--device", c.device, "auto (a GPU if there is one), cpu, cuda or cuda:N", "DEVICE");
  b.choice("--executor", c.executor, Executor::fused,
           "how steps run: as CUDA graphs of many (auto, on a GPU), or one by one");
  b.value("--out", c.out, "folder for pictures, metrics and model [runs/PROGRAM-PRESET]", "FOLDER");
  b.value("--epochs", c.epochs, "passes over the training set", "N")
      ->check(CLI::Range(0, 1'000'000, "0 or more"));
  b.value("--log-every", c.log_every, "steps between rows of steps.csv; 0: no such file", "N")
      ->check(kNotNegative);
  b.group = "Data";
  b.value("--data-dir", c.data_dir, "where the data files are [$GPUVAE_DATA_DIR, then data/]", "FOLDER");
  b.value("--data", c.data, "other data: .npy, .csv, IDX, .mat, or a folder of images or IDX files", "PATH");
  b.value("--label-column", c.label_column, "of a CSV: name or number (from 0) of the class labels",
          "COLUMN");
  b.flag("--standardize", c.standardize, "columns of numbers to mean 0 and deviation 1");
  b.value("--validation-fraction", c.validation_fraction, "of --data without a test set", "X")
      ->check(CLI::Range(0.0, 0.9, "0 to 0.9"));
  b.flag("--builtin-data", c.builtin_data, "use the built-in procedural data set");
  b.value("--train-images", c.train_images, "use the first N only; 0: all", "N")->check(kNotNegative);
  b.value("--validation-images", c.validation_images, "use the first N only; 0: all", "N")
      ->check(kNotNegative);
  b.names("--validation-set", c.validation_set, {"test", "rest"},
          "the test set, or the training images that --train-images leaves out");
  b.value("--batch-size", c.batch_size, "images a step", "N")->check(kAtLeastOne);
  b.flag("--drop-last", c.drop_last, "leave out a last batch that is not full");
  b.flag("--no-shuffle", c.no_shuffle, "keep the order of the files");
  b.choice("--binarize", c.binarize, Binarize::dynamic, "pixels to 0 and 1");
  b.value("--threshold", c.threshold, "of --binarize threshold", "X");
}

void bind_model(CLI::App& app, RunConfig& c) {
  Binder b{app, "Model"};
  b.widths("--hidden", c.hidden, "widths of the encoder's hidden layers");
  b.widths("--decoder-hidden", c.decoder_hidden, "of the decoder's [the encoder's, mirrored]");
  b.value("--latent", c.latent, "latent dimensions", "N")->check(kAtLeastOne);
  b.choice("--activation", c.activation, Activation::softplus, "of the hidden layers");
  b.choice("--precision", c.precision, Precision::bf16, "of matrix products, where the device has it");
  b.choice("--posterior-scale", c.posterior_scale, PosteriorScale::softplus,
           "what the encoder puts out beside the mean");
  b.names("--likelihood", c.likelihood,
          {"bernoulli", "continuous-bernoulli", "gaussian", "gaussian-shared", "gaussian-fixed", "auto"},
          "p(x | z); the Gaussians' variance is learned for each pixel, learned once, or fixed");
  b.names("--gaussian-mean", c.gaussian_mean, {"sigmoid", "identity"}, "of its mean: in [0, 1], or anywhere");
  b.value("--sigma", c.sigma, "of --likelihood gaussian-fixed", "X")->check(kPositive);
  b.value("--log-variance-low", c.log_variance_low, "the Gaussian's log variance is clipped here", "X");
  b.value("--log-variance-high", c.log_variance_high, "and here", "X");
  b.names("--prior", c.prior, {"normal", "mixture", "vamp"}, "p(z): N(0, I), or a learned mixture");
  b.value("--prior-components", c.prior_components, "of the mixture, or pseudo-inputs of vamp", "N")
      ->check(CLI::Range(1, 100000, "1 to 100000"));
  b.choice("--init", c.init, WeightInit::two_over_root_fan_in, "how weights are drawn");
  b.value("--init-std", c.init_std, "standard deviation of --init normal", "X")->check(kNotNegative);
  b.value("--bias-std", c.bias_std, "biases are drawn from N(0, X^2)", "X")->check(kNotNegative);
  b.choice(
      "--init-generator", c.init_generator, InitGenerator::curand,
      "random generator of initial weights and biases: philox runs on every device with the same numbers; "
      "curand is NVIDIA's library, CUDA devices only");
  b.group = "Loss";
  b.value("--noise-std", c.noise_std, "standard deviation of epsilon in z = mean + epsilon sigma", "X")
      ->check(kNotNegative);
  b.flag("--frozen-noise", c.frozen_noise, "one epsilon per image for the whole run");
  b.flag("--pixel-mean", c.pixel_mean, "mean over the pixels instead of their sum: not an ELBO");
  b.flag("--batch-sum", c.batch_sum, "gradient of the sum over the batch instead of the mean");
  b.value("--beta", c.beta, "weight of the KL term", "X")->check(kNotNegative);
  b.value("--warmup-epochs", c.warmup_epochs, "over which beta rises from 0", "X")->check(kNotNegative);
  b.value("--free-bits", c.free_bits, "nats of KL a dimension that cost nothing", "X")->check(kNotNegative);
}

void bind_optimizer(CLI::App& app, RunConfig& c) {
  Binder b{app, "Optimiser"};
  OptimizerOptions& o = c.optimizer;
  b.choice("--optimizer", o.kind, OptimizerKind::adamw, "its usual settings hold unless given below");
  b.value("--learning-rate", o.learning_rate, "step size", "X")->check(kPositive);
  b.value("--beta1", o.beta1, "Adam; the momentum of sgd", "X")->check(CLI::Range(0.0, 1.0, "0 to 1"));
  b.value("--beta2", o.beta2, "Adam; the rho of rmsprop", "X")->check(CLI::Range(0.0, 1.0, "0 to 1"));
  b.value("--epsilon", o.epsilon, "in the denominator", "X")->check(kNotNegative);
  b.value("--l2", o.l2, "adds X ||weights||^2 to the loss; adamw: decoupled decay", "X")->check(kNotNegative);
  b.flag("--l2-biases", o.l2_biases, "biases as well");
  b.value("--clip-norm", o.clip_norm, "largest norm of the gradient; 0: no clipping", "X")
      ->check(kNotNegative);
}

void bind_pictures(CLI::App& app, RunConfig& c) {
  Binder b{app, "Pictures"};
  b.names("--encode", c.encode, {"mean", "sample"}, "of q(z | x): what is drawn and exported");
  b.value("--manifold", c.manifold, "grids: quantile|linear|data:N:LOW:HIGH[:AXES], ...; or none", "GRIDS")
      ->check([](const std::string& text) { return grid_mistake(text); });
  b.value("--samples", c.samples, "images in samples.png", "N")->check(CLI::Range(1, 10000, "1 to 10000"));
  b.value("--reconstructions", c.reconstructions, "images in reconstructions.png", "N")
      ->check(CLI::Range(1, 10000, "1 to 10000"));
  b.value("--examples", c.examples, "images in examples.png, 25 a row", "N")
      ->check(CLI::Range(1, 10000, "1 to 10000"));
  b.value("--latent-names", c.latent_names, "of the explorer's sliders, such as pose,humour", "NAMES");
  b.value("--sliders", c.sliders, "their range: LOW:HIGH:STEP[:SCALE], z = value * SCALE", "RANGE")
      ->check([](const std::string& text) { return slider_mistake(text); });
}

}  // namespace

void bind_command(CLI::App& app, Command& c) {
  const char* group = "Command";
  app.add_option("command", c.name, "see below; all but train start from the run folder's settings")
      ->check(CLI::IsMember(command_names()).description(""))
      ->type_name("COMMAND")
      ->default_str("train")
      ->configurable(false);
  const auto option = [&](const char* flag, auto& variable, const char* description, const char* type) {
    return app.add_option(flag, variable, description)
        ->type_name(type)
        ->group(group)
        ->configurable(false)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  };
  app.add_flag("--retrain", c.retrain, "train although the run folder holds this run, whole or in part")
      ->group(group)
      ->configurable(false);
  option("--set", c.set, "whose images: of eval, encode, reconstruct", "train|validation")
      ->check(CLI::IsMember({"train", "validation"}).description(""));
  option("--images", c.images, "the first N of them only; 0: all", "N")->check(kNotNegative);
  option("--importance-samples", c.importance_samples, "eval: also -log p(x) by K draws an image", "K")
      ->check(kNotNegative);
  option("--input", c.input, "encode, reconstruct: other data; decode: latent codes (.csv, .npy)", "FILE");
  option("--z", c.z, "decode: latent codes, such as 0.5,-1;0,2", "NUMBERS");
  option("--output", c.output, "where to, by its ending (.csv, .npy, .png) [in the run folder]", "FILE");
}

std::string option_footer(const std::vector<Preset>& presets) {
  std::string text = "Commands:\n";
  for (const auto& [name, description] : kCommands) text += fmt::format("  {:<14} {}\n", name, description);
  text += "\nPresets:\n";
  for (const Preset& p : presets) text += fmt::format("  {:<14} {}\n", p.name, p.description);
  return text;
}

void bind_config(CLI::App& app, RunConfig& c, const std::vector<Preset>& presets) {
  std::vector<std::string> preset_names;
  for (const Preset& p : presets) preset_names.push_back(p.name);
  auto* preset = app.add_option("--preset", c.preset, "where all settings start from; see below")
                     ->capture_default_str()
                     ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast)
                     ->type_name("NAME")
                     ->group("Run");
  if (!preset_names.empty()) preset->check(CLI::IsMember(preset_names).description(""));
  app.set_config("--config", "", "a run folder's config.toml: repeats that run")
      ->type_name("FILE")
      ->group("Run");
  app.allow_config_extras(CLI::config_extras_mode::error);
  bind_run(app, c);
  bind_model(app, c);
  bind_optimizer(app, c);
  bind_pictures(app, c);
  app.get_formatter()->column_width(34);
}

}  // namespace gpuvae::apps
