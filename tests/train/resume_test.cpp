// Tests that a run continues bit for bit from a checkpoint at any step, and that damaged checkpoints are
// refused.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "gpuvae/train.h"
#include "src/io/file.h"
#include "src/io/safetensors.h"
#include "tests/temporary_folder.h"
#include "tests/train/small_run.h"

namespace gpuvae {
namespace {

using test::byte_images;
using test::error_of;
using test::expect_same_losses;
using test::TemporaryFolder;

// Five steps per epoch, the last of them with fewer examples.
struct ResumedRun {
  explicit ResumedRun(OptimizerKind kind = OptimizerKind::adam, TrainOptions options = {.batch_size = 10})
      : optimizer(model.parameters(),
                  [&] {
                    OptimizerOptions o = OptimizerOptions::defaults(kind);
                    o.learning_rate = 1e-3;
                    return o;
                  }()),
        trainer(model, optimizer, byte_images(47, Device::best()), byte_images(13, Device::best()), [&] {
          options.schedule = CosineSchedule{.total_steps = 15, .warmup_steps = 3};
          return options;
        }()) {}
  void save(const std::filesystem::path& path) {
    save_checkpoint(path, model.parameters(), optimizer, trainer.state());
  }
  void restore(const std::filesystem::path& path) {
    trainer.resume(restore_checkpoint(path, model.parameters(), optimizer));
  }
  std::vector<float> weights() const {
    std::vector<float> all;
    for (const Parameter& p : model.parameters())
      for (const float v : p.variable.value().to_vector()) all.push_back(v);
    return all;
  }
  Vae model{{.features = 16, .encoder_widths = {8}}, Device::best()};
  Optimizer optimizer;
  Trainer trainer;
};

// The losses of the epoch in which a run stops cover the steps before and after.
TEST(Resume, ContinuesBitForBitAfterEveryStep) {
  const TemporaryFolder folder;
  for (const OptimizerKind kind : {OptimizerKind::adam, OptimizerKind::sgd, OptimizerKind::rmsprop}) {
    ResumedRun whole(kind);
    const std::vector<EpochResult> expected = whole.trainer.run_epochs(3);
    for (std::uint64_t step = 0; step <= 15; ++step) {
      ResumedRun first(kind), second(kind);
      first.trainer.run_steps(step);
      first.save(folder / "c");
      second.restore(folder / "c");
      EXPECT_EQ(second.trainer.steps_done(), step);
      for (int epoch = static_cast<int>(step / 5); epoch < 3; ++epoch) {
        const EpochResult result = second.trainer.run_epoch();
        EXPECT_EQ(result.epoch, epoch + 1);
        expect_same_losses(result.train, expected[static_cast<std::size_t>(epoch)].train);
        expect_same_losses(result.validation, expected[static_cast<std::size_t>(epoch)].validation);
      }
      EXPECT_EQ(second.weights(), whole.weights()) << "after step " << step;
    }
  }
}

TEST(Resume, KeepsTheSumsAndTheTimeOfTheEpoch) {
  const TemporaryFolder folder;
  ResumedRun first, second;
  first.trainer.run_steps(8);
  const TrainingState before = first.trainer.state();
  EXPECT_EQ(before.epochs, 1);
  EXPECT_EQ(before.steps, 3u);
  EXPECT_GT(before.reconstruction, 0);
  EXPECT_GT(before.seconds, 0);
  first.save(folder / "c");
  second.restore(folder / "c");
  const TrainingState after = second.trainer.state();
  EXPECT_EQ(after.epochs, before.epochs);
  EXPECT_EQ(after.steps, before.steps);
  EXPECT_EQ(after.reconstruction, before.reconstruction);
  EXPECT_EQ(after.kl, before.kl);
  EXPECT_EQ(after.seconds, before.seconds);
  EXPECT_EQ(error_of([&] { second.trainer.resume({.epochs = 1, .steps = 5}); }),
            "[resume] expected a step of an epoch of 5 steps, got 5");
  EXPECT_EQ(error_of([&] { load_checkpoint(folder / "c", second.model.parameters(), second.optimizer); }),
            "[load] " + (folder / "c").string() +
                ": expected a checkpoint between two epochs, got one after step 3 of epoch 2");
}

// The eager executor asks after every step. A graph is asked after each launch, which may be a whole epoch.
TEST(Trainer, StopsWhenAConditionHolds) {
  const TrainOptions eager{.batch_size = 10, .executor = Executor::eager};
  ResumedRun run(OptimizerKind::adam, eager), whole(OptimizerKind::adam, eager);
  int asked = 0;
  run.trainer.stop_when([&] { return ++asked == 3; });
  const EpochResult part = run.trainer.run_epoch();
  EXPECT_FALSE(part.complete);
  EXPECT_EQ(run.trainer.steps_done() % 5, run.trainer.state().steps);
  EXPECT_GE(run.trainer.steps_done(), 3u);
  run.trainer.stop_when({});
  const EpochResult rest = run.trainer.run_epoch(), expected = whole.trainer.run_epoch();
  EXPECT_TRUE(rest.complete);
  expect_same_losses(rest.train, expected.train);
  EXPECT_EQ(run.weights(), whole.weights());
}

// A condition that holds after the last step of an epoch does not hide the end of the epoch.
TEST(Trainer, FinishesTheEpochInWhichItStops) {
  ResumedRun run;
  run.trainer.stop_when([&] { return run.trainer.steps_done() == 5; });
  const EpochResult result = run.trainer.run_epoch();
  EXPECT_TRUE(result.complete);
  EXPECT_GT(result.validation.loss, 0);
}

TEST(Checkpoint, IsRefusedWhenDamaged) {
  const TemporaryFolder folder;
  ResumedRun run;
  run.trainer.run_steps(2);
  run.save(folder / "c");
  const std::vector<float> before = run.weights();
  const std::string bytes = io::read_file(folder / "c");
  for (std::size_t i = 0; i < bytes.size(); i += 7) {
    std::string changed = bytes;
    changed[i] = static_cast<char>(changed[i] ^ 4);
    io::write_file(folder / "c", changed, io::Sync::no);
    error_of([&] { run.restore(folder / "c"); });
  }
  io::write_file(folder / "c", bytes.substr(0, bytes.size() - 1));
  error_of([&] { run.restore(folder / "c"); });
  EXPECT_EQ(run.weights(), before);
}

// Writes a changed copy of a checkpoint, with a checksum that matches.
template <class Change>
void rewrite(const std::filesystem::path& path, Change change) {
  io::TensorFile file = io::read_safetensors(path);
  change(file);
  if (file.metadata.contains(io::kChecksumKey)) file.metadata[io::kChecksumKey] = io::checksum_of(file);
  io::write_safetensors(path, file);
}

TEST(Checkpoint, NamesANewerVersion) {
  const TemporaryFolder folder;
  ResumedRun run;
  run.save(folder / "c");
  rewrite(folder / "c", [](io::TensorFile& file) { file.metadata["format_version"] = "3"; });
  EXPECT_EQ(error_of([&] { run.restore(folder / "c"); }),
            "[load] " + (folder / "c").string() +
                ": expected format version 1 to 2, got 3: a newer version of gpuvae wrote this file");
}

TEST(Checkpoint, OfAnOlderVersionLoads) {
  const TemporaryFolder folder;
  ResumedRun first, second;
  first.trainer.run_epochs(2);
  first.save(folder / "c");
  rewrite(folder / "c", [](io::TensorFile& file) {
    for (const char* key : {"format_version", "epoch_steps", "epoch_reconstruction", "epoch_kl",
                            "epoch_seconds", io::kChecksumKey})
      file.metadata.erase(key);
  });
  second.restore(folder / "c");
  EXPECT_EQ(second.trainer.steps_done(), 10u);
  first.trainer.run_epoch();
  second.trainer.run_epoch();
  EXPECT_EQ(second.weights(), first.weights());
}

TEST(Checkpoint, WithoutTheNumbersOfOnNanLoads) {
  const TemporaryFolder folder;
  ResumedRun first, second;
  first.trainer.run_steps(7);
  first.save(folder / "c");
  rewrite(folder / "c", [](io::TensorFile& file) {
    for (const char* key : {"skipped", "epoch_skipped", "epoch_skipped_images", "rewinds"})
      EXPECT_EQ(file.metadata.erase(key), 1u) << key;
  });
  second.restore(folder / "c");
  EXPECT_EQ(second.trainer.skipped_steps(), 0u);
  EXPECT_EQ(second.trainer.rewinds(), 0);
  first.trainer.run_epoch();
  second.trainer.run_epoch();
  EXPECT_EQ(second.weights(), first.weights());
}

TEST(Checkpoint, HasAChecksumFromVersionTwoOn) {
  const TemporaryFolder folder;
  ResumedRun run;
  run.save(folder / "c");
  rewrite(folder / "c", [](io::TensorFile& file) { file.metadata.erase(io::kChecksumKey); });
  EXPECT_EQ(error_of([&] { run.restore(folder / "c"); }),
            "[load] " + (folder / "c").string() + ": expected a checksum, found none");
}

TEST(Parameters, ThatAreNotFiniteAreNeitherSavedNorLoaded) {
  const TemporaryFolder folder;
  ResumedRun run;
  const std::vector<Parameter> parameters = run.model.parameters();
  const std::string path = (folder / "m").string();
  for (const double bad : {std::nan(""), std::numeric_limits<double>::infinity()}) {
    const std::string text =
        fmt::format(": expected finite values, got {} in posterior.bias at element 2", bad);
    save_parameters(path, parameters);
    const Tensor bias = parameters[3].variable.value();
    const Tensor good = bias.clone();
    bias.slice(2, 1).fill(bad);
    EXPECT_EQ(error_of([&] { save_parameters(path, parameters); }), "[save] " + path + text);
    bias.copy_from(good);
    rewrite(path, [&](io::TensorFile& file) {
      const auto value = static_cast<float>(bad);
      std::memcpy(file.tensors[3].second.bytes.data() + 8, &value, sizeof value);
    });
    EXPECT_EQ(error_of([&] { load_parameters(path, parameters); }), "[load] " + path + text);
  }
}

}  // namespace
}  // namespace gpuvae
