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
    {"train", "train, continue an interrupted run, or load a finished one; write all pictures"},
    {"eval", "measure ELBO, KL per dimension, bits per dimension and collapse; see --importance-samples"},
    {"encode", "write the latent codes of images as CSV or NPY"},
    {"decode", "decode the latent codes given by --z or --input"},
    {"reconstruct", "encode images and decode their codes"},
    {"sample", "decode codes drawn from the prior"},
    {"manifold", "draw the grids of --manifold"},
    {"explore", "write explorer.html, which decodes the point under the pointer"}};

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
  b.value("--seed", c.seed, "random seed of the initial weights, the data order and the noise", "N");
  b.value("--device", c.device, "device: auto (a GPU if there is one), cpu, cuda or cuda:N", "DEVICE");
  b.choice(
      "--executor", c.executor, Executor::fused,
      "how training steps run: eager launches each kernel, graph and fused launch CUDA graphs; auto chooses");
  b.value("--out", c.out, "folder for model, metrics and pictures (default: runs/PROGRAM-PRESET)", "FOLDER");
  b.value("--epochs", c.epochs, "number of passes over the training set", "N")
      ->check(CLI::Range(0, 1'000'000, "0 or more"));
  b.value("--log-every", c.log_every, "training steps per row of steps.csv; 0 writes no such file", "N")
      ->check(kNotNegative);
  b.group = "Data";
  b.value("--data-dir", c.data_dir, "folder of MNIST or Frey Face (default: $GPUVAE_DATA_DIR, then data/)",
          "FOLDER");
  b.value("--data", c.data,
          "data to train on: .npy, .csv, IDX or Frey Face's .mat file, or a folder of images or IDX files",
          "PATH");
  b.value("--label-column", c.label_column,
          "name or number (from 0) of the column of class labels in a table (--data)", "COLUMN");
  b.flag("--standardize", c.standardize,
         "scale each column of a table (--data) to mean 0 and standard deviation 1");
  b.value("--validation-fraction", c.validation_fraction,
          "fraction of --data used for validation; ignored if the data have a test set", "X")
      ->check(CLI::Range(0.0, 0.9, "0 to 0.9"));
  b.flag("--builtin-data", c.builtin_data, "train on the built-in procedural data set");
  b.value("--train-images", c.train_images, "number of training images, from the first on; 0 uses all", "N")
      ->check(kNotNegative);
  b.value("--validation-images", c.validation_images,
          "number of validation images, from the first on; 0 uses all", "N")
      ->check(kNotNegative);
  b.names("--validation-set", c.validation_set, {"test", "rest"},
          "what to validate on: the test set, or the training images that --train-images leaves out");
  b.value("--batch-size", c.batch_size, "number of images per training step", "N")->check(kAtLeastOne);
  b.flag("--drop-last", c.drop_last, "leave out the last batch of an epoch if it is not full");
  b.flag("--no-shuffle", c.no_shuffle,
         "train in the order of the data files instead of a new random order per epoch");
  b.choice("--binarize", c.binarize, Binarize::dynamic,
           "whether and how pixels become 0 or 1: by --threshold, or at random per run (fixed) or epoch "
           "(dynamic)");
  b.value("--threshold", c.threshold, "value above which a pixel becomes 1 (--binarize threshold)", "X");
}

void bind_model(CLI::App& app, RunConfig& c) {
  Binder b{app, "Model"};
  b.widths("--hidden", c.hidden, "widths of the encoder's hidden layers, from the first to the last");
  b.widths("--decoder-hidden", c.decoder_hidden,
           "widths of the decoder's hidden layers (default: --hidden reversed)");
  b.value("--latent", c.latent, "number of latent dimensions", "N")->check(kAtLeastOne);
  b.choice("--activation", c.activation, all_activations().back(), "activation of all hidden layers");
  b.choice("--precision", c.precision, Precision::bf16,
           "precision of large matrix products; tf32 and bf16 need a device that supports them");
  b.choice("--posterior-scale", c.posterior_scale, PosteriorScale::softplus,
           "standard deviation of q(z | x) from the encoder's output s: exp(s / 2), exp(s) or softplus(s)");
  b.names(
      "--likelihood", c.likelihood,
      {"bernoulli", "continuous-bernoulli", "gaussian", "gaussian-shared", "gaussian-fixed", "auto"},
      "distribution p(x | z); a Gaussian's variance is per pixel, shared or fixed; auto depends on the data");
  b.names("--gaussian-mean", c.gaussian_mean, {"sigmoid", "identity"},
          "range of the Gaussian's mean and of --prior vamp's pseudo-inputs: sigmoid keeps them in [0, 1]");
  b.value("--sigma", c.sigma, "standard deviation of the Gaussian (--likelihood gaussian-fixed)", "X")
      ->check(kPositive);
  b.value("--log-variance-low", c.log_variance_low,
          "lower bound of the Gaussian's log variance (--likelihood gaussian or gaussian-shared)", "X");
  b.value("--log-variance-high", c.log_variance_high,
          "upper bound of the Gaussian's log variance (--likelihood gaussian or gaussian-shared)", "X");
  b.names("--prior", c.prior, {"normal", "mixture", "vamp"},
          "distribution p(z): N(0, I), a learned mixture of Gaussians, or a VampPrior");
  b.value("--prior-components", c.prior_components,
          "number of components (--prior mixture) or pseudo-inputs (--prior vamp)", "N")
      ->check(CLI::Range(1, 100000, "1 to 100000"));
  b.choice("--init", c.init, WeightInit::two_over_root_fan_in, "distribution of the initial weights");
  b.value("--init-std", c.init_std, "standard deviation of the initial weights (--init normal)", "X")
      ->check(kNotNegative);
  b.value("--bias-std", c.bias_std, "standard deviation of the initial biases, whose mean is 0", "X")
      ->check(kNotNegative);
  b.choice("--init-generator", c.init_generator, InitGenerator::curand,
           "random generator of the initial weights and biases: philox (any device) or curand (CUDA only)");
  b.group = "Loss";
  b.value("--noise-std", c.noise_std,
          "standard deviation of epsilon in z = mean + epsilon * sigma; only 1 gives an ELBO", "X")
      ->check(kNotNegative);
  b.flag("--frozen-noise", c.frozen_noise,
         "draw one epsilon per image for the whole run instead of one per epoch");
  b.flag(
      "--pixel-mean", c.pixel_mean,
      "average the reconstruction loss over the pixels instead of summing it; the loss is then not an ELBO");
  b.flag("--batch-sum", c.batch_sum,
         "take the gradient of the loss's sum over the batch instead of its mean");
  b.value("--beta", c.beta, "weight of the KL term in the loss", "X")->check(kNotNegative);
  b.value("--warmup-epochs", c.warmup_epochs,
          "number of epochs over which the KL term's weight rises linearly from 0 to --beta", "X")
      ->check(kNotNegative);
  b.value("--free-bits", c.free_bits, "KL per latent dimension (nats) that is not penalised", "X")
      ->check(kNotNegative);
}

void bind_optimizer(CLI::App& app, RunConfig& c) {
  Binder b{app, "Optimiser"};
  OptimizerOptions& o = c.optimizer;
  b.choice("--optimizer", o.kind, OptimizerKind::adamw,
           "optimiser; sets its usual values for the flags of this group that are not given");
  b.value("--learning-rate", o.learning_rate, "learning rate of the optimiser", "X")->check(kPositive);
  b.value("--beta1", o.beta1, "decay of the first moment (--optimizer adam or adamw), or momentum (sgd)", "X")
      ->check(CLI::Range(0.0, 1.0, "0 to 1"));
  b.value("--beta2", o.beta2,
          "decay of the second moment (--optimizer adam or adamw), or rho (rmsprop, rmsprop_tf1)", "X")
      ->check(CLI::Range(0.0, 1.0, "0 to 1"));
  b.value("--epsilon", o.epsilon,
          "small number added to the denominator of an update (every optimiser but sgd)", "X")
      ->check(kNotNegative);
  b.value("--l2", o.l2,
          "L2 penalty: adds X ||weights||^2 to the loss; with --optimizer adamw, decoupled weight decay", "X")
      ->check(kNotNegative);
  b.flag("--l2-biases", o.l2_biases, "apply --l2 to the biases as well as to the weights");
  b.names("--schedule", c.schedule, {"constant", "step", "cosine"},
          "how the learning rate changes: not at all, down in steps (see --lr-decay-epochs), or along half a "
          "cosine to 0 at the last of --epochs");
  b.value("--lr-warmup", c.lr_warmup,
          "number of epochs over which the learning rate rises linearly from 0 to --learning-rate", "X")
      ->check(kNotNegative);
  b.value("--lr-decay-epochs", c.lr_decay_epochs,
          "number of epochs after which the learning rate is multiplied by --lr-decay-rate, again and again "
          "(--schedule step)",
          "X")
      ->check(kPositive);
  b.value("--lr-decay-rate", c.lr_decay_rate,
          "factor by which the learning rate is multiplied each time (--schedule step)", "X")
      ->check(kPositive);
  b.value("--clip-norm", o.clip_norm,
          "largest norm of the gradient, to which larger ones are scaled down; 0 does not clip", "X")
      ->check(kNotNegative);
}

void bind_pictures(CLI::App& app, RunConfig& c) {
  Binder b{app, "Pictures"};
  b.names("--encode", c.encode, {"mean", "sample"},
          "latent code of an image in pictures and exports: the mean of q(z | x), or a sample");
  b.value("--manifold", c.manifold,
          "decoded grids: quantile|linear|data:N:LOW:HIGH[:AXES], several joined by commas, or none", "GRIDS")
      ->check([](const std::string& text) { return grid_mistake(text); });
  b.value("--samples", c.samples, "number of images in samples.png", "N")
      ->check(CLI::Range(1, 10000, "1 to 10000"));
  b.value("--reconstructions", c.reconstructions, "number of images in reconstructions.png", "N")
      ->check(CLI::Range(1, 10000, "1 to 10000"));
  b.value("--examples", c.examples, "number of images in examples.png, 25 per row", "N")
      ->check(CLI::Range(1, 10000, "1 to 10000"));
  b.value("--latent-names", c.latent_names,
          "names of the latent dimensions in the pictures and the explorer, such as pose,humour", "NAMES");
  b.value("--sliders", c.sliders,
          "range of the explorer's sliders: LOW:HIGH:STEP[:SCALE], z = value * SCALE (default: range of the "
          "data)",
          "RANGE")
      ->check([](const std::string& text) { return slider_mistake(text); });
}

}  // namespace

void bind_command(CLI::App& app, Command& c) {
  const char* group = "Command";
  app.add_option(
         "command", c.name,
         "what to do; see Commands below. All but train start from the settings in the run folder (--out)")
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
  app.add_flag("--retrain", c.retrain, "train from the start even if the run folder (--out) holds this run")
      ->group(group)
      ->configurable(false);
  option("--set", c.set, "images for eval, encode and reconstruct (default: validation)", "train|validation")
      ->check(CLI::IsMember({"train", "validation"}).description(""));
  option("--images", c.images,
         "number of images for eval, encode and reconstruct, from the first on (default: 0, all)", "N")
      ->check(kNotNegative);
  option("--importance-samples", c.importance_samples,
         "draws of z per image with which eval estimates -log p(x) (default: 0, no estimate)", "K")
      ->check(kNotNegative);
  option("--input", c.input, "other data for encode and reconstruct, or latent codes (.csv, .npy) for decode",
         "FILE");
  option("--z", c.z, "latent codes for decode, separated by semicolons, such as 0.5,-1;0,2", "NUMBERS");
  option("--output", c.output,
         "output file; its ending (.csv, .npy, .png, .json, .html) chooses the format (default: in the "
         "run folder)",
         "FILE");
}

std::string option_footer(const std::vector<Preset>& presets) {
  std::string text =
      "The values beside the flags are the settings of the chosen preset.\n"
      "--FLAG=false switches off a flag that takes no value.\n\n"
      "Commands:\n";
  for (const auto& [name, description] : kCommands) text += fmt::format("  {:<14} {}\n", name, description);
  text += "\nPresets:\n";
  for (const Preset& p : presets) text += fmt::format("  {:<14} {}\n", p.name, p.description);
  return text;
}

void bind_config(CLI::App& app, RunConfig& c, const std::vector<Preset>& presets) {
  std::vector<std::string> preset_names;
  for (const Preset& p : presets) preset_names.push_back(p.name);
  auto* preset =
      app.add_option("--preset", c.preset, "preset that gives the settings their defaults; see Presets below")
          ->capture_default_str()
          ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast)
          ->type_name("NAME")
          ->group("Run");
  if (!preset_names.empty()) preset->check(CLI::IsMember(preset_names).description(""));
  app.set_config("--config", "", "file of settings; the config.toml of a run folder repeats that run")
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
