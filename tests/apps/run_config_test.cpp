// Tests that a configuration file holds every setting of a run, and that mistakes in it are errors.
#include "apps/cli/run_config.h"

#include <gtest/gtest.h>

#include <sstream>

#include "apps/cli/command_line.h"
#include "apps/cli/config_file.h"
#include "apps/cli/settings.h"
#include "gpuvae/error.h"
#include "src/io/file.h"
#include "tests/apps/two_presets.h"
#include "tests/temporary_folder.h"

namespace gpuvae::apps {
namespace {

using test::parse;
using test::presets;

TEST(ConfigFile, RestoresTheSameRun) {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "config.toml";
  const RunConfig before =
      parse({"--preset", "other", "--seed", "123456789012345678", "--beta", "0.30000000000000004", "--hidden",
             "5", "--decoder-hidden", "6,7", "--binarize", "dynamic", "--activation", "tanh",
             "--frozen-noise", "--out", "a folder/x", "--optimizer", "adamw"})
          .config;
  io::write_file(path, to_toml(before, "program"));
  const RunConfig after = parse({"--config", path.string()}).config;
  EXPECT_EQ(to_toml(after, "program"), to_toml(before, "program"));
  EXPECT_EQ(after.seed, 123456789012345678u);
  EXPECT_EQ(after.training.beta, 0.30000000000000004);
  EXPECT_EQ(after.model.decoder_widths, (std::vector<std::int64_t>{6, 7}));
  EXPECT_EQ(after.model.activation, Activation::tanh);
  EXPECT_EQ(after.out, "a folder/x");
  EXPECT_TRUE(after.training.frozen_noise && !after.training.data.shuffle);
  EXPECT_EQ(after.optimizer.l2, 0.01);
  EXPECT_EQ(parse({"--config", path.string(), "--epochs", "1"}).config.epochs, 1);
}

// Splits lines of "flag value" into arguments "--flag value".
std::vector<std::string> arguments_of(const std::string& lines) {
  std::vector<std::string> arguments;
  std::istringstream in(lines);
  for (std::string line; std::getline(in, line);) {
    const std::size_t space = line.find(' ');
    arguments.push_back(line.substr(0, space));
    if (space != std::string::npos) arguments.push_back(line.substr(space + 1));
  }
  return arguments;
}

// Every setting differs from its default, which reveals a setting that is not written or has a wrong name.
const char* const kEverything =
    "--preset other\n--seed 3\n--device cpu\n--threads 6\n--executor eager\n--out x\n--epochs 9\n--log-every "
    "4\n"
    "--checkpoint-every 2epochs\n"
    "--data-dir d\n--data a b.csv\n--label-column class\n--header no\n--columns a,\"b, c\"\n--value-range "
    "-1.5:2\n--variable faces\n--condition label,dose\n--split-seed 12\n--gated\n--posterior iaf:3:20\n"
    "--standardize\n--missing-values\n--library-size total\n--validation-fraction 0.25\n"
    "--data-placement file\n--builtin-data\n--train-images 11\n--validation-images 12\n--validation-set "
    "rest\n--batch-size 13\n"
    "--drop-last\n--no-shuffle=false\n--binarize fixed\n--threshold 0.25\n--hidden 9,8\n--decoder-hidden 7\n"
    "--latent 5\n--activation tanh\n--precision bf16\n--posterior-scale softplus\n"
    "--likelihood gaussian-fixed\n--gaussian-mean identity\n--sigma 0.3\n--log-variance-low -7\n"
    "--log-variance-high 8\n--log-scale-low -6\n--log-scale-high 1\n--column-types gaussian:2\n"
    "--library-reference 9\n--log1p-counts=false\n--prior vamp\n--prior-components 17\n--init "
    "normal\n--init-std 0.02\n"
    "--bias-std 0.03\n--init-generator curand\n--noise-std 0.5\n--frozen-noise\n--pixel-mean\n--batch-sum\n"
    "--on-nan skip\n--beta 4\n--warmup-epochs 2.5\n--free-bits 0.125\n--objective miwae\n"
    "--objective-samples 3\n--objective-groups 2\n--objective-mix 0.75\n--sampled-kl\n--optimizer "
    "adamw\n--learning-rate "
    "0.5\n--beta1 0.5\n"
    "--beta2 0.25\n--epsilon 0.75\n--l2 0.01\n--l2-biases\n--schedule step\n--lr-warmup 1.5\n"
    "--patience 3\n--save-best\n--ema 0.5\n--ema-form zero\n--output-bias data\n--lr-final 0.125\n"
    "--lr-decay-epochs 3.5\n--lr-decay-rate 0.75\n--clip-norm 6\n--encode sample\n"
    "--manifold quantile:5:0.01:0.99:left-up,data:3\n--samples 18\n--reconstructions 19\n--examples 20\n"
    "--latent-names pose,humour,c,d,e\n--sliders -15:15:3:0.01";

void expect_everything(const RunConfig& c) {
  EXPECT_EQ(c.preset + c.device + c.out, "othercpux");
  EXPECT_EQ(c.seed, 3u);
  EXPECT_EQ(c.threads, 6);
  EXPECT_EQ(c.epochs, 9);
  EXPECT_EQ(c.log_every, 4);
  EXPECT_EQ(c.checkpoint_every, "2epochs");
  EXPECT_TRUE(c.save_best && c.data_output_bias);
  EXPECT_EQ(c.data.folder + c.data.path + c.data.label_column, "da b.csvclass");
  EXPECT_EQ(c.data.columns + c.data.value_range, "a,\"b, c\"-1.5:2");
  EXPECT_EQ(c.data.variable, "faces");
  EXPECT_EQ(c.data.header, Header::no);
  EXPECT_TRUE(c.data.standardize && c.data.builtin && c.model.gated && c.distributions.missing_values);
  EXPECT_EQ(c.data.library_size + c.distributions.column_types, "totalgaussian:2");
  EXPECT_EQ(c.distributions.log_scale_low, -6);
  EXPECT_EQ(c.distributions.log_scale_high, 1);
  EXPECT_EQ(c.distributions.library_reference, 9);
  EXPECT_FALSE(c.distributions.log1p_counts);
  EXPECT_EQ(c.data.condition + c.data.split_seed, "label,dose12");
  EXPECT_EQ(c.data.validation_fraction, 0.25);
  EXPECT_EQ(c.data.placement, Placement::file);
  EXPECT_EQ(c.data.train_images, 11);
  EXPECT_EQ(c.data.validation_images, 12);
  EXPECT_EQ(c.data.validation_set, "rest");
  EXPECT_EQ(c.model.encoder_widths, (std::vector<std::int64_t>{9, 8}));
  EXPECT_EQ(c.model.decoder_widths, std::vector<std::int64_t>{7});
  EXPECT_EQ(c.model.latent, 5);
  EXPECT_EQ(c.model.activation, Activation::tanh);
  EXPECT_EQ(c.model.precision, Precision::bf16);
  EXPECT_EQ(c.model.initializer.weight, WeightInit::normal);
  EXPECT_EQ(c.model.initializer.weight_std, 0.02);
  EXPECT_EQ(c.model.initializer.bias_std, 0.03);
  EXPECT_EQ(c.model.initializer.generator, InitGenerator::curand);
}

void expect_everything(const DistributionSettings& d) {
  EXPECT_EQ(d.posterior_family, "iaf:3:20");
  EXPECT_EQ(d.posterior.scale, PosteriorScale::softplus);
  EXPECT_EQ(d.posterior.noise_std, 0.5);
  EXPECT_EQ(d.likelihood + " " + d.prior, "gaussian-fixed vamp");
  EXPECT_FALSE(d.gaussian.sigmoid_mean);
  EXPECT_EQ(d.gaussian.low, -7);
  EXPECT_EQ(d.gaussian.high, 8);
  EXPECT_EQ(d.sigma, 0.3);
  EXPECT_EQ(d.prior_components, 17);
}

void expect_everything(const TrainOptions& t) {
  EXPECT_EQ(t.executor, Executor::eager);
  EXPECT_EQ(t.batch_size, 13);
  EXPECT_TRUE(t.drop_last && t.data.shuffle && t.frozen_noise && t.pixel_mean && t.batch_sum);
  EXPECT_EQ(t.data.binarize, Binarize::fixed);
  EXPECT_EQ(t.data.threshold, 0.25);
  EXPECT_EQ(t.on_nan, OnNan::skip);
  EXPECT_EQ(t.beta, 4);
  EXPECT_EQ(t.warmup_epochs, 2.5);
  EXPECT_EQ(t.free_bits, 0.125);
  EXPECT_EQ(t.patience, 3);
  EXPECT_EQ(t.average.decay, 0.5);
  EXPECT_EQ(t.average.form, AverageForm::zero);
  EXPECT_EQ(t.objective, (Objective{ObjectiveKind::miwae, 3, 2, 0.75, true}));
}

void expect_everything(const OptimizerOptions& o, const ScheduleSettings& s) {
  EXPECT_EQ(o.kind, OptimizerKind::adamw);
  EXPECT_EQ(o.learning_rate, 0.5);
  EXPECT_EQ(o.beta1, 0.5);
  EXPECT_EQ(o.beta2, 0.25);
  EXPECT_EQ(o.epsilon, 0.75);
  EXPECT_EQ(o.l2, 0.01);
  EXPECT_EQ(o.clip_norm, 6);
  EXPECT_TRUE(o.l2_biases);
  EXPECT_EQ(s.name, "step");
  EXPECT_EQ(s.warmup_epochs, 1.5);
  EXPECT_EQ(s.decay_epochs, 3.5);
  EXPECT_EQ(s.decay_rate, 0.75);
  EXPECT_EQ(s.final_rate, 0.125);
}

void expect_everything(const PictureSettings& p) {
  EXPECT_EQ(p.encode, "sample");
  EXPECT_EQ(p.manifold, "quantile:5:0.01:0.99:left-up,data:3");
  EXPECT_EQ(p.samples, 18);
  EXPECT_EQ(p.reconstructions, 19);
  EXPECT_EQ(p.examples, 20);
  EXPECT_EQ(p.latent_names, "pose,humour,c,d,e");
  EXPECT_EQ(p.sliders, "-15:15:3:0.01");
}

TEST(ConfigFile, HoldsEverySetting) {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "config.toml";
  const RunConfig everything = parse(arguments_of(kEverything)).config;
  // A setting that keeps its default would pass even if it were not written.
  const RunConfig plain = presets()[1].config;
  const std::vector<ValueGroup> before = values_of(plain), after = values_of(everything);
  for (std::size_t g = 0; g < before.size(); ++g)
    for (std::size_t i = 0; i < before[g].values.size(); ++i)
      EXPECT_NE(before[g].values[i].value, after[g].values[i].value) << before[g].values[i].flag;
  io::write_file(path, to_toml(everything, "program"));
  const RunConfig c = read_config(path.string(), "program", presets());
  EXPECT_EQ(to_toml(c, "program"), io::read_file(path));
  expect_everything(c);
  expect_everything(c.distributions);
  expect_everything(c.training);
  expect_everything(c.optimizer, c.schedule);
  expect_everything(c.pictures);
}

TEST(ConfigFile, AnEmptySettingOverridesThePreset) {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "config.toml";
  std::vector<Preset> named = presets();
  named[0].config.pictures.latent_names = "a,b";
  named[0].config.model.decoder_widths = {3};
  RunConfig c = named[0].config;
  c.pictures.latent_names = "";
  c.model.decoder_widths = {};
  io::write_file(path, to_toml(c, "program"));
  const RunConfig again = read_config(path.string(), "program", named);
  EXPECT_EQ(again.pictures.latent_names, "");
  EXPECT_TRUE(again.model.decoder_widths.empty());
}

// A version without schedules wrote older_config.toml, in which nearly every setting differs from its preset.
TEST(ConfigFile, ReadsFilesOfAnOlderVersion) {
  std::vector<Preset> with_keras = presets();
  with_keras[0].name = "keras-mnist";
  const RunConfig c = read_config(GPUVAE_SOURCE_DIR "/tests/apps/older_config.toml", "program", with_keras);
  EXPECT_EQ(c.seed, 123456789012345678u);
  EXPECT_EQ(c.training.beta, 0.30000000000000004);
  EXPECT_EQ(c.model.encoder_widths, (std::vector<std::int64_t>{9, 8}));
  EXPECT_EQ(c.model.decoder_widths, (std::vector<std::int64_t>{7, 6}));
  EXPECT_EQ(c.distributions.likelihood + " " + c.distributions.prior, "gaussian-fixed mixture");
  EXPECT_FALSE(c.distributions.gaussian.sigmoid_mean);
  EXPECT_FALSE(c.training.data.shuffle);
  EXPECT_TRUE(c.training.drop_last && c.training.pixel_mean && c.training.frozen_noise);
  EXPECT_EQ(c.training.data.binarize, Binarize::fixed);
  EXPECT_EQ(c.optimizer.kind, OptimizerKind::adamw);
  EXPECT_EQ(c.optimizer.epsilon, 1e-8);
  EXPECT_EQ(c.schedule.name, "constant");
  EXPECT_EQ(c.pictures.manifold, "quantile:5:0.01:0.99:left-up,data:3");
  // Every line is preserved.
  std::istringstream lines(io::read_file(GPUVAE_SOURCE_DIR "/tests/apps/older_config.toml"));
  const std::string now = to_toml(c, "program");
  for (std::string line; std::getline(lines, line);)
    EXPECT_TRUE(line[0] == '#' || now.find("\n" + line + "\n") != std::string::npos) << line;
}

TEST(ConfigFile, RefusesFilesOfAnotherProgram) {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "config.toml";
  io::write_file(path, "speed = 3\n");
  testing::internal::CaptureStderr();
  try {
    read_config(path.string(), "program", presets());
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    const std::string message = error.what();
    EXPECT_NE(message.find("config.toml is not a configuration of program: "), std::string::npos) << message;
    EXPECT_NE(message.find("speed"), std::string::npos) << message;
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST(ConfigFile, UnknownKeysAndInvalidValuesAreErrors) {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "config.toml";
  for (const char* text : {"speed = 3\n", "epochs = many\n", "preset = \"nothing\"\n"}) {
    io::write_file(path, text);
    testing::internal::CaptureStderr();
    EXPECT_EQ(parse({"--config", path.string()}).exit_code, 2) << text;
    const std::string message = testing::internal::GetCapturedStderr();
    EXPECT_NE(message.find(path.string()), std::string::npos) << message;
    EXPECT_EQ(message.find("INI"), std::string::npos) << message;
  }
}

}  // namespace
}  // namespace gpuvae::apps
