// Tests of training on examples that are read batch by batch: the same bits as with examples in memory.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "gpuvae/evaluate.h"
#include "gpuvae/train.h"
#include "tests/temporary_folder.h"
#include "tests/train/places.h"
#include "tests/train/small_run.h"

namespace gpuvae {
namespace {

using test::error_of;
using test::expect_same_losses;

constexpr std::int64_t kSourceFeatures = 24;

// A source of a library user: rows of a vector.
template <class T>
class VectorSource final : public ExampleSource {
 public:
  VectorSource(std::vector<T> values, DType dtype) : values_(std::move(values)), dtype_(dtype) {}
  std::int64_t count() const override { return std::ssize(values_) / kSourceFeatures; }
  std::int64_t features() const override { return kSourceFeatures; }
  DType dtype() const override { return dtype_; }
  void read(std::span<const std::int64_t> examples, void* out) const override {
    if (fails_after >= 0 && fails_after-- == 0) throw Error("read", "the disk is gone", ErrorKind::io);
    auto* to = static_cast<T*>(out);
    for (const std::int64_t example : examples)
      to = std::copy_n(values_.begin() + example * kSourceFeatures, kSourceFeatures, to);
  }
  mutable int fails_after = -1;  // calls until one fails; negative: none fails

 private:
  std::vector<T> values_;
  DType dtype_;
};

struct Sets {
  Dataset memory, source;
};

Sets source_bytes(std::int64_t count, Device device) {
  std::vector<std::uint8_t> values;
  for (std::int64_t i = 0; i < count * kSourceFeatures; ++i)
    values.push_back(static_cast<std::uint8_t>(i * i * 7 / 16));
  Sets sets{{1, kSourceFeatures, Tensor::from(values, {count, kSourceFeatures}, device), {}},
            {1, kSourceFeatures}};
  sets.source.source = std::make_shared<VectorSource<std::uint8_t>>(values, DType::u8);
  sets.source.batch_device = device;
  return sets;
}

Sets floats(std::int64_t count, Device device) {
  const std::vector<float> values = test::example_values(count, kSourceFeatures);
  Sets sets{{1, kSourceFeatures, Tensor::from(values, {count, kSourceFeatures}, device), {}},
            {1, kSourceFeatures}};
  sets.source.source = std::make_shared<VectorSource<float>>(values, DType::f32);
  sets.source.batch_device = device;
  return sets;
}

struct SourceRun {
  SourceRun(const Dataset& train, const Dataset& validation, TrainOptions options, Device device)
      : model({.features = kSourceFeatures, .encoder_widths = {16}, .latent = 3}, device),
        optimizer(model.parameters(), {.learning_rate = 1e-3}),
        trainer(model, optimizer, train, validation, options) {}
  Vae model;
  Adam optimizer;
  Trainer trainer;
};

TEST(Source, TrainingHasTheBitsOfTrainingInMemory) {
  for (const test::Place& place : test::autograd_places()) {
    SCOPED_TRACE(place.text());
    for (const bool is_bytes : {true, false}) {
      const auto sets = is_bytes ? source_bytes : floats;
      const Sets train = sets(47, place.device), validation = sets(13, place.device);
      TrainOptions options{.batch_size = 10, .validation_batch = 5, .executor = place.executor};
      if (is_bytes) options.data.binarize = Binarize::dynamic;
      SourceRun memory(train.memory, validation.memory, options, place.device),
          source(train.source, validation.source, options, place.device);
      for (int epoch = 0; epoch < 3; ++epoch) {
        const EpochResult expected = memory.trainer.run_epoch(), got = source.trainer.run_epoch();
        expect_same_losses(got.train, expected.train);
        expect_same_losses(got.validation, expected.validation);
      }
      EXPECT_EQ(test::weights_of(source.model), test::weights_of(memory.model));
    }
  }
}

TEST(Source, TrainingContinuesWithinAnEpochAndSkipsSteps) {
  for (const test::Place& place : test::autograd_places()) {
    SCOPED_TRACE(place.text());
    const Sets train = source_bytes(47, place.device);
    TrainOptions options{.batch_size = 10, .executor = place.executor};
    options.on_nan = OnNan::skip;
    SourceRun memory(train.memory, {}, options, place.device),
        source(train.source, {}, options, place.device);
    memory.trainer.run_steps(12);
    source.trainer.run_steps(7);
    source.trainer.run_steps(5);
    EXPECT_EQ(test::weights_of(source.model), test::weights_of(memory.model));
    SourceRun resumed(train.source, {}, options, place.device);
    const test::TemporaryFolder folder;
    save_checkpoint(folder / "c", source.model.parameters(), source.optimizer, source.trainer.state());
    resumed.trainer.resume(restore_checkpoint(folder / "c", resumed.model.parameters(), resumed.optimizer));
    memory.trainer.run_steps(6);
    resumed.trainer.run_steps(6);
    EXPECT_EQ(test::weights_of(resumed.model), test::weights_of(memory.model));
  }
}

TEST(Source, EvaluationEqualsThatInMemory) {
  const Device device = Device::best();
  const Sets sets = source_bytes(33, device);
  const Vae model({.features = kSourceFeatures, .encoder_widths = {16}, .latent = 3}, device);
  const EvaluationOptions options{.rows = 8};
  expect_same_losses(evaluate_elbo(model, sets.source, options), evaluate_elbo(model, sets.memory, options));
  EXPECT_EQ(importance_weighted_nll(model, sets.source, 6, options).nll,
            importance_weighted_nll(model, sets.memory, 6, options).nll);
  EXPECT_EQ(encode_all(model, sets.source, options).to_vector(),
            encode_all(model, sets.memory, options).to_vector());
  EXPECT_EQ(latent_statistics(model, sets.source, options).mutual_information,
            latent_statistics(model, sets.memory, options).mutual_information);
  EXPECT_EQ(fingerprint(sets.source), fingerprint(sets.memory));
}

TEST(Source, MovesToAGpuThatHasRoom) {
  const Device device = Device::best();
  const Sets sets = source_bytes(33, Device::cpu());
  const Dataset moved = sets.source.to(device);
  EXPECT_EQ(moved.device(), device);
  EXPECT_EQ(static_cast<bool>(moved.source), device.is_cpu());
  const std::vector<std::int64_t> some = {5, 1, 32};
  EXPECT_EQ(moved.select(some).to_doubles(), sets.memory.select(some).to_doubles());
}

TEST(Source, AnErrorOfTheSourceEndsTheTraining) {
  for (const test::Place& place : test::autograd_places()) {
    SCOPED_TRACE(place.text());
    const Sets train = source_bytes(47, place.device);
    SourceRun run(train.source, {}, {.batch_size = 10, .executor = place.executor}, place.device);
    run.trainer.run_epoch();
    dynamic_cast<const VectorSource<std::uint8_t>&>(*train.source.source).fails_after = 3;
    EXPECT_NE(error_of([&] { run.trainer.run_epoch(); }).find("the disk is gone"), std::string::npos);
  }
}

TEST(Source, TheFusedExecutorIsRefused) {
  const Device device = Device::best();
  if (device.is_cpu()) GTEST_SKIP() << "no GPU";
  const Sets train = source_bytes(47, device);
  EXPECT_NE(
      error_of([&] { SourceRun(train.source, {}, {.executor = Executor::fused}, device); }).find("source"),
      std::string::npos);
}

}  // namespace
}  // namespace gpuvae
