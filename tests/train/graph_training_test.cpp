// Tests training with captured CUDA graphs: equality with eager training, resuming, streams, reports and
// fallbacks.
#include <gtest/gtest.h>

#include <cmath>

#include "gpuvae/error.h"
#include "gpuvae/graph.h"
#include "gpuvae/ops.h"
#include "gpuvae/train.h"
#include "kernels/backend.h"
#include "src/train/executor.h"
#include "tests/error_message.h"
#include "tests/train/small_run.h"

namespace gpuvae {
namespace {

using test::expect_start;
using test::message_of;

class GraphTraining : public testing::Test {
 protected:
  void SetUp() override {
    if (Device::cuda_count() == 0) GTEST_SKIP() << "no GPU";
  }
};

struct Case {
  const char* name;
  OptimizerKind optimizer = OptimizerKind::adam;
  std::int64_t images = 43, batch = 8;
  TrainOptions train = {};
  double clip_norm = 0;
};

struct Training {
  explicit Training(const Case& c, Executor executor, Device device = Device::cuda())
      : model(
            [] {
              VaeOptions o;
              o.features = 16;
              o.encoder_widths = {8};
              return o;
            }(),
            device),
        optimizer(model.parameters(),
                  [&] {
                    OptimizerOptions o = OptimizerOptions::defaults(c.optimizer);
                    o.clip_norm = c.clip_norm;
                    return o;
                  }()),
        trainer(model, optimizer, images(c.images).to(device), images(10).to(device), [&] {
          TrainOptions o = c.train;
          o.batch_size = c.batch;
          o.executor = executor;
          return o;
        }()) {}
  static Dataset images(std::int64_t count) { return test::byte_images(count, Device::cpu()); }
  std::vector<float> parameters() const { return test::parameters_of(model); }

  Vae model;
  Optimizer optimizer;
  Trainer trainer;
};

void expect_same_results(const EpochResult& a, const EpochResult& b) {
  EXPECT_EQ(a.train.reconstruction, b.train.reconstruction);
  EXPECT_EQ(a.train.kl, b.train.kl);
  EXPECT_EQ(a.validation.loss, b.validation.loss);
}

std::vector<Case> cases() {
  std::vector<Case> all = {{"adam, ragged"},
                           {"rmsprop, frozen noise", OptimizerKind::rmsprop},
                           {"sgd, warm-up, free bits, in order", OptimizerKind::sgd},
                           {"adamw, clipped, drop last", OptimizerKind::adamw},
                           {"long", OptimizerKind::adam, 103, 1}};
  all[1].train.frozen_noise = true;
  all[1].train.data.binarize = Binarize::dynamic;
  all[2].train.warmup_epochs = 1.5;
  all[2].train.free_bits = 0.1;
  all[2].train.beta = 2;
  all[2].train.data.shuffle = false;
  all[3].clip_norm = 0.5;
  all[3].train.drop_last = true;
  return all;
}

TEST_F(GraphTraining, EqualsEagerTrainingBitForBit) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.name);
    Training eager(c, Executor::eager), graph(c, Executor::graph);
    for (int epoch = 0; epoch < 3; ++epoch) {
      expect_same_results(eager.trainer.run_epoch(), graph.trainer.run_epoch());
      EXPECT_EQ(eager.optimizer.steps(), graph.optimizer.steps());
    }
    EXPECT_EQ(eager.parameters(), graph.parameters());
  }
}

TEST_F(GraphTraining, MatchesTheCpu) {
  Case c = cases()[2];  // with warm-up and free bits on the device
  Training cpu(c, Executor::automatic, Device::cpu()), graph(c, Executor::graph);
  for (int epoch = 0; epoch < 3; ++epoch) {
    const double a = cpu.trainer.run_epoch().train.loss, b = graph.trainer.run_epoch().train.loss;
    EXPECT_TRUE(std::fabs(a - b) <= 1e-5 * std::fabs(a)) << a << " and " << b;
  }
}

// A graph run resumes from the state of an eager run and vice versa, with an optimiser that has already
// counted a different number of updates.
TEST_F(GraphTraining, ResumesBitForBit) {
  const Case c = cases()[0];
  Training straight(c, Executor::graph);
  for (int i = 0; i < 4; ++i) straight.trainer.run_epoch();
  for (const Executor before : {Executor::graph, Executor::eager}) {
    Training first(c, before), second(c, before == Executor::graph ? Executor::eager : Executor::graph);
    for (int i = 0; i < 2; ++i) first.trainer.run_epoch();
    second.trainer.run_epoch();  // only makes its graphs assume a different number of updates
    auto from = first.model.parameters(), to = second.model.parameters();
    for (std::size_t i = 0; i < from.size(); ++i) to[i].variable.value().copy_from(from[i].variable.value());
    second.optimizer.restore(first.optimizer.steps(), first.optimizer.state1(), first.optimizer.state2());
    second.trainer.resume_after(2);
    for (int i = 0; i < 2; ++i) second.trainer.run_epoch();
    EXPECT_EQ(second.parameters(), straight.parameters());
    second.optimizer.restore(1000, first.optimizer.state1(), first.optimizer.state2());
    second.trainer.run_epoch();
    EXPECT_EQ(second.optimizer.steps(), 1006u);
  }
}

TEST_F(GraphTraining, RunsOnTheCallersStream) {
  const Case c = cases()[0];
  Training here(c, Executor::graph), there(c, Executor::graph);
  for (int epoch = 0; epoch < 3; ++epoch) {
    const Stream mine(Device::cuda());  // a different stream in every epoch
    const StreamGuard on(mine);
    expect_same_results(there.trainer.run_epoch(), here.trainer.run_epoch());
  }
}

TEST_F(GraphTraining, ReportsAsOftenAsRequested) {
  Case c = cases()[0];
  c.train.report_steps = 2;
  c.train.report_seconds = 0;
  std::vector<std::pair<std::int64_t, double>> reports[2];
  for (const int captured : {0, 1}) {
    Training run(c, captured ? Executor::graph : Executor::eager);
    for (int epoch = 0; epoch < 2; ++epoch)
      run.trainer.run_epoch([&](std::int64_t images, const Losses& so_far) {
        reports[captured].push_back({images, so_far.loss});
      });
  }
  EXPECT_EQ(reports[0].size(), 6u);
  EXPECT_EQ(reports[0], reports[1]);
  EXPECT_EQ(reports[1][2].first, 43);
  c.train.report_seconds = 1e9;
  Training quiet(c, Executor::graph);
  quiet.trainer.run_epoch([](std::int64_t, const Losses&) { FAIL() << "too soon"; });
  EXPECT_EQ(quiet.trainer.executor(), "graph: 5 steps per launch");
}

TEST_F(GraphTraining, CountsStepsCorrectlyIfACallbackThrows) {
  Case c = cases()[0];
  c.train.report_steps = 2;
  c.train.report_seconds = 0;
  Training run(c, Executor::graph);
  run.trainer.run_epoch();
  EXPECT_THROW(run.trainer.run_epoch([](std::int64_t images, const Losses&) {
    if (images == 32) throw std::runtime_error("enough");
  }),
               std::runtime_error);
  EXPECT_EQ(run.optimizer.steps(), 6u + 4u);
}

// A likelihood that reads a value on the host in the middle of the step.
class HostLikelihood final : public Likelihood {
 public:
  std::string name() const override { return "host"; }
  Variable log_density(const Variable& params, const Variable& x) const override {
    const Variable distance = sum(square(params - x), Axis::columns);
    return affine(distance, sum(distance).value().item() > 0 ? -1 : -2, 0);
  }
  Variable mean(const Variable& params) const override { return params; }
};

TEST_F(GraphTraining, FallsBackToEagerStepsIfACaptureFails) {
  VaeOptions o;
  o.features = 16;
  o.encoder_widths = {8};
  o.likelihood = std::make_shared<HostLikelihood>();
  std::vector<double> losses[3];
  for (const Executor executor : {Executor::automatic, Executor::eager, Executor::graph}) {
    Vae model(o, Device::cuda());
    Optimizer optimizer(model.parameters(), {});
    TrainOptions train;
    train.batch_size = 8;
    train.executor = executor;
    const Dataset images = Training::images(43).to(Device::cuda());
    Trainer trainer(model, optimizer, images, images.slice(0, 0), train);
    const auto run = [&] {
      for (int i = 0; i < 2; ++i)
        losses[static_cast<int>(executor)].push_back(trainer.run_epoch().train.loss);
    };
    if (executor == Executor::graph) {
      expect_start(message_of(run), "[item] ");
    } else {
      run();
      EXPECT_EQ(optimizer.steps(), 12u);
    }
    if (executor == Executor::automatic)
      expect_start(trainer.executor(), "eager: this step cannot be captured: [item] ");
  }
  EXPECT_EQ(losses[0], losses[1]);
}

TEST_F(GraphTraining, EveryBuiltInModelCanBeCaptured) {
  const auto train = [](const VaeOptions& o) {
    Vae model(o, Device::cuda());
    Optimizer optimizer(model.parameters(), {});
    TrainOptions options;
    options.batch_size = 4;
    options.executor = Executor::graph;
    const Dataset images = Training::images(8).to(Device::cuda());
    Trainer trainer(model, optimizer, images, images.slice(0, 0), options);
    for (int i = 0; i < 2; ++i) EXPECT_TRUE(std::isfinite(trainer.run_epoch().train.loss));
  };
  VaeOptions o;
  o.features = 16;
  o.encoder_widths = {8};
  for (const auto& likelihood : {continuous_bernoulli_likelihood(), gaussian_likelihood(),
                                 shared_gaussian_likelihood(), fixed_gaussian_likelihood(0.1)}) {
    o.likelihood = likelihood;
    SCOPED_TRACE(likelihood->name());
    train(o);
  }
  for (const auto& prior : {gaussian_mixture_prior(3), vamp_prior(3)}) {
    o.prior = prior;
    SCOPED_TRACE(prior->name());
    train(o);
  }
}

TEST(Executors, SayWhatRunsAndWhy) {
  const Case c{"any"};
  EXPECT_EQ(Training(c, Executor::automatic, Device::cpu()).trainer.executor(),
            "eager: steps run one by one on the CPU");
  EXPECT_EQ(Training(c, Executor::eager, Device::cpu()).trainer.executor(), "eager: as requested");
  EXPECT_EQ(message_of([&] { Training(c, Executor::graph, Device::cpu()); }),
            "[train] expected a CUDA device for the graph executor, got cpu");
  EXPECT_EQ(message_of([&] { Training(c, Executor::fused, Device::cpu()); }),
            "[train] expected a CUDA device for the fused executor, got cpu");
  if (Device::cuda_count() == 0) return;
  if (!Device::cuda().backend().supports(Precision::tf32)) {
    EXPECT_EQ(Training(c, Executor::automatic).trainer.executor(),
              "graph: 5 steps per launch; not fused: the GPU has no tensor cores for TF32");
    return;
  }
  EXPECT_EQ(Training(c, Executor::automatic).trainer.executor(), "fused: 5 steps per launch");
  EXPECT_EQ(Training(c, Executor::graph).trainer.executor(), "graph: 5 steps per launch");
  EXPECT_EQ(Training(c, Executor::eager).trainer.executor(), "eager: as requested");
  Case free{"free bits"};
  free.train.free_bits = 0.1;
  EXPECT_EQ(
      Training(free, Executor::automatic).trainer.executor(),
      "graph: 5 steps per launch; not fused: free bits require the KL divergence of the whole batch first");
  EXPECT_EQ(message_of([&] { Training(free, Executor::fused); }),
            "[train] expected a model that the fused executor supports, but free bits require the KL "
            "divergence of the "
            "whole batch first");
}

}  // namespace
}  // namespace gpuvae
