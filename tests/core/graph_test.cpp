// Captured graphs: steps of one's own, their memory, and training with every executor.
#include "gpuvae/graph.h"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

#include "gpuvae/error.h"
#include "gpuvae/memory.h"
#include "gpuvae/ops.h"
#include "gpuvae/train.h"
#include "kernels/backend.h"
#include "src/train/executor.h"

namespace gpuvae {
namespace {

class Graphs : public testing::Test {
 protected:
  void SetUp() override {
    if (Device::cuda_count() == 0) GTEST_SKIP() << "no GPU";
  }
};
using GraphsOnDevice = Graphs;  // these also run under the race checker
using GraphTraining = Graphs;

std::string message_of(const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

void expect_start(const std::string& message, const std::string& start) {
  EXPECT_EQ(message.substr(0, start.size()), start) << message;
}

// x = 2 x + 1, by way of a temporary.
void double_and_add(const Tensor& x) { x.copy_from(affine(x, 2, 1).value()); }

TEST_F(GraphsOnDevice, RunABodyAgainAndAgain) {
  const Stream stream(Device::cuda());
  const StreamGuard on(stream);
  const Tensor x = Tensor::zeros({3}, DType::f32, stream.device());
  const CudaGraph graph = CudaGraph::capture(
      stream, [&] { double_and_add(x); }, 3);
  EXPECT_EQ(graph.nodes(), 6u);  // a kernel and a copy, three times
  EXPECT_EQ(x.to_vector(), std::vector<float>(3, 0.0f)) << "nothing runs at the capture";
  graph.launch();
  EXPECT_EQ(x.to_vector(), std::vector<float>(3, 7.0f));
  graph.launch();
  EXPECT_EQ(x.to_vector(), std::vector<float>(3, 63.0f));
}

TEST_F(Graphs, MemoryOfTheBodyIsNobodyElses) {
  const Device cuda = Device::cuda();
  const Stream stream(cuda);
  const StreamGuard on(stream);
  const Tensor x = Tensor::full({1000}, 1, DType::f32, cuda);
  Tensor dropped = Tensor::full({1000}, 5, DType::f32, cuda), result;
  {
    const CudaGraph graph = CudaGraph::capture(stream, [&] {
      const Tensor sum = add(affine(x, 3, 0), dropped).value();  // 3 x + 5
      dropped = Tensor();                                        // from outside, and let go of here
      result = affine(sum, 1, -1).value();
    });
    std::vector<Tensor> others;
    for (int i = 0; i < 20; ++i) others.push_back(Tensor::full({1000}, i, DType::f32, cuda));
    for (const float value : {1.0f, 10.0f}) {
      x.fill(value);
      graph.launch();
      EXPECT_EQ(result.to_vector(), std::vector<float>(1000, 3 * value + 4));
    }
    for (int i = 0; i < 20; ++i)
      EXPECT_EQ(others[i].to_vector(), std::vector<float>(1000, static_cast<float>(i)));
    result = Tensor();
  }
  // All of it is free again: as many tensors as the graph and the others had need no new memory.
  const MemoryStatistics before = memory_statistics(cuda);
  std::vector<Tensor> again;
  for (int i = 0; i < 22; ++i) again.push_back(Tensor::empty({1000}, DType::f32, cuda));
  EXPECT_EQ(memory_statistics(cuda).system_allocations, before.system_allocations);
}

TEST_F(Graphs, ShareMemoryIfAsked) {
  const Device cuda = Device::cuda();
  const Stream stream(cuda);
  const StreamGuard on(stream);
  const Tensor x = Tensor::zeros({100'000}, DType::f32, cuda);
  const CudaGraph one = CudaGraph::capture(stream, [&] { double_and_add(x); });
  const MemoryStatistics before = memory_statistics(cuda);
  const CudaGraph many = CudaGraph::capture(
      stream, [&] { double_and_add(x); }, 5, &one);
  EXPECT_EQ(memory_statistics(cuda).reserved_bytes, before.reserved_bytes);
  many.launch(), one.launch();
  EXPECT_EQ(x.slice(99'999, 1).item(), 63);
  const Stream other(cuda);
  const StreamGuard there(other);
  expect_start(message_of([&] {
                 static_cast<void>(CudaGraph::capture(
                     other, [] {}, 1, &one));
               }),
               "[graph] expected a graph of the same stream to share memory with");
}

TEST_F(Graphs, RefuseCallsThatWaitAndNameThem) {
  const Device cuda = Device::cuda();
  const Stream stream(cuda);
  const StreamGuard on(stream);
  const Tensor x = Tensor::full({1}, 2, DType::f32, cuda);
  const float number[] = {1};
  const std::pair<const char*, std::function<void()>> calls[] = {
      {"[item] ", [&] { static_cast<void>(x.item()); }},
      {"[to_vector] ", [&] { static_cast<void>(x.to_vector()); }},
      {"[to] ", [&] { static_cast<void>(x.to(Device::cpu())); }},
      {"[from] ", [&] { static_cast<void>(Tensor::from(number, {1}, cuda)); }},
      {"[copy_from] ", [&] { x.copy_from(Tensor::zeros({1})); }},
      {"[synchronize] ", [&] { stream.synchronize(); }},
      {"[copy_from_device] ",
       [&] { cuda.backend().copy_from_device(nullptr, x.data(), 4, stream.handle()); }},
  };
  for (const auto& [name, call] : calls) {
    expect_start(message_of([&, &body = call] { static_cast<void>(CudaGraph::capture(stream, body)); }),
                 name);
    const CudaGraph graph =
        CudaGraph::capture(stream, [&] { double_and_add(x); });  // the stream is as it was
    graph.launch();
  }
  EXPECT_EQ(x.item(), (2 + 1) * 128 - 1);
}

TEST_F(Graphs, PassOnWhatTheBodyThrows) {
  const Stream stream(Device::cuda());
  const StreamGuard on(stream);
  const Tensor x = Tensor::zeros({3}, DType::f32, stream.device());
  const auto body = [&] {
    double_and_add(x);
    throw std::out_of_range("mine");
  };
  EXPECT_THROW(static_cast<void>(CudaGraph::capture(stream, body)), std::out_of_range);
  double_and_add(x);
  EXPECT_EQ(x.to_vector(), std::vector<float>(3, 1.0f));
}

TEST_F(Graphs, MistakesAreClear) {
  const Device cuda = Device::cuda();
  const Stream stream(cuda), other(cuda);
  const StreamGuard on(stream);
  expect_start(message_of([&] { static_cast<void>(CudaGraph::capture(Stream::wrap(cuda, nullptr), [] {})); }),
               "[graph] expected a stream other than the default one, got the device's default stream");
  expect_start(message_of([&] {
                 static_cast<void>(CudaGraph::capture(
                     stream, [&] { static_cast<void>(CudaGraph::capture(other, [] {})); }));
               }),
               "[graph] expected one capture at a time");
  expect_start(message_of([&] {
                 static_cast<void>(CudaGraph::capture(
                     stream, [] {}, 0));
               }),
               "[graph] expected 1 or more repeats");
  const CudaGraph graph = CudaGraph::capture(stream, [] {});
  EXPECT_EQ(graph.nodes(), 0u);
  const StreamGuard elsewhere(other);
  EXPECT_EQ(message_of([&] { graph.launch(); }),
            "[graph] expected the stream of the capture to be the current one at a launch, got another");
  // Its algorithm is chosen at the first product of a shape.
  const Tensor a = Tensor::zeros({37, 41}, DType::f32, cuda), b = Tensor::zeros({43, 41}, DType::f32, cuda);
  expect_start(message_of([&] {
                 static_cast<void>(CudaGraph::capture(other, [&] { static_cast<void>(linear(a, b, {})); }));
               }),
               "[gemm] expected the first product of m 37, n 43, k 41 before a graph is captured");
  static_cast<void>(linear(a, b, {}));
  EXPECT_GT(CudaGraph::capture(other, [&] { static_cast<void>(linear(a, b, {})); }).nodes(), 0u);
}

TEST(GraphOnTheCpu, IsAnError) {
  EXPECT_EQ(message_of([] { static_cast<void>(CudaGraph::capture(Stream::current(Device::cpu()), [] {})); }),
            "[graph] expected a CUDA device, got cpu");
  EXPECT_EQ(message_of([] { Device::cpu().backend().begin_capture(nullptr); }),
            "[graph] expected a CUDA device, got cpu");
}

// A denoiser of its own, with batches in a shuffled order, fresh noise, and Adam, whose first updates depend
// on their number.
struct OwnStep {
  static constexpr std::uint64_t kStepsPerEpoch = 5;
  explicit OwnStep(Device device)
      : images(Tensor::from(bytes(), {20, 12}, device)), layer("own", 12, 12, Activation::tanh, {}, device) {
    std::vector<Parameter> parameters;
    layer.collect(parameters);
    optimizer = std::make_unique<Optimizer>(parameters, OptimizerOptions{.learning_rate = 0.01});
  }
  static std::vector<std::uint8_t> bytes() {
    std::vector<std::uint8_t> all;
    for (int i = 0; i < 20 * 12; ++i) all.push_back(static_cast<std::uint8_t>(i * 37));
    return all;
  }
  void operator()() {
    const Clock clock = optimizer->clock(kStepsPerEpoch);
    const Batch batch = gather_batch(images, 4, clock, {});
    const Noise noise{.seed = 3, .clock = clock, .samples = batch.samples};
    const Tensor noisy =
        add(batch.x, random_normal({4, 12}, noise, 0, 0.1, DType::f32, images.device())).value();
    optimizer->zero_grad();
    sum(square(subtract(layer(noisy), batch.x))).backward();
    optimizer->step();
  }
  std::vector<float> weights() const { return layer.weight.value().to_vector(); }

  Tensor images;
  Linear layer;
  std::unique_ptr<Optimizer> optimizer;
};

TEST_F(Graphs, AStepOfOnesOwnCountsOn) {
  const Stream stream(Device::cuda());
  const StreamGuard on(stream);
  OwnStep eager(stream.device()), captured(stream.device());
  captured();
  const CudaGraph graph = CudaGraph::capture(
      stream, [&] { captured(); }, 4);
  EXPECT_EQ(captured.optimizer->steps(), 1u);
  for (int i = 0; i < 3; ++i) graph.launch();
  captured();
  for (int i = 0; i < 14; ++i) eager();
  EXPECT_EQ(captured.optimizer->steps(), 14u);
  EXPECT_EQ(captured.weights(), eager.weights());
  // Taken back to an earlier state, it goes the same way again.
  for (OwnStep* step : {&eager, &captured})
    step->optimizer->restore(2, step->optimizer->state1().clone(), step->optimizer->state2().clone());
  EXPECT_EQ(captured.optimizer->steps(), 2u);
  for (int i = 0; i < 4; ++i) eager();
  graph.launch();
  EXPECT_EQ(captured.optimizer->steps(), 6u);
  EXPECT_EQ(captured.weights(), eager.weights());
}

// ---- what graphs need of kernels and autograd, on every device ----

TEST(GraphParts, DeviceCountersAndRamps) {
  for (const Device device : {Device::cpu(), Device::best()}) {
    kernels::Backend& backend = device.backend();
    const auto stream = Stream::current(device).handle();
    const Tensor counter = Tensor::from(std::vector<std::uint8_t>(8), {8}, device);
    auto* step = static_cast<std::uint64_t*>(counter.data());
    const Tensor weight = Tensor::empty({1}, DType::f32, device);
    const auto weight_now = [&] {
      backend.ramp({DType::f32, 3, 8, {.step = 1, .device_step = step}, weight.data()}, stream);
      return weight.item();
    };
    EXPECT_EQ(weight_now(), 3 / 8.0);
    backend.advance({step, 2}, stream);
    EXPECT_EQ(weight_now(), 9 / 8.0);
    kernels::MetricsArgs nothing;
    nothing.advance = step;
    const Tensor totals = Tensor::zeros({8}, DType::f32, device);
    nothing.totals = static_cast<double*>(totals.data());
    nothing.bad_step = static_cast<std::uint64_t*>(totals.data()) + 2;
    backend.accumulate_metrics(nothing, stream);
    EXPECT_EQ(weight_now(), 12 / 8.0);
    backend.advance({step, 100}, stream);
    EXPECT_EQ(weight_now(), 3);
  }
}

TEST(GraphParts, RootsMayBeWeighedOnTheDevice) {
  for (const Device device : {Device::cpu(), Device::best()}) {
    const Variable x(Tensor::from(std::vector<float>{1, -2}, {2}, device), true);
    const Variable scalar(Tensor::full({1}, 4, DType::f32, device), true);
    const Tensor weight = Tensor::full({1}, 0.5, DType::f32, device);
    const autograd::Root roots[] = {{sum(square(x)), 3, weight}, {scalar, 2, weight}, {sum(x), -1, {}}};
    autograd::backward(roots);
    EXPECT_EQ(x.grad().to_vector(), (std::vector<float>{2, -7}));  // 3 * 0.5 * 2 x - 1
    EXPECT_EQ(scalar.grad().item(), 1);
    const autograd::Root wrong{sum(x), 1, Tensor::zeros({2}, DType::f32, device)};
    expect_start(message_of([&] { autograd::backward({&wrong, 1}); }), "[backward] expected a weight like");
  }
}

TEST(GraphParts, LaunchesHoldFiftyToAHundredSteps) {
  const std::pair<std::uint64_t, std::uint64_t> expected[] = {{0, 1},     {1, 1},    {37, 37},  {100, 100},
                                                              {101, 100}, {120, 60}, {468, 78}, {540, 90},
                                                              {600, 100}, {1965, 98}};
  for (const auto& [steps, together] : expected) EXPECT_EQ(steps_a_launch(steps), together) << steps;
}

// ---- training ----

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
  static Dataset images(std::int64_t count) {
    std::vector<std::uint8_t> bytes;
    for (std::int64_t i = 0; i < count * 16; ++i) bytes.push_back(static_cast<std::uint8_t>(i * i * 7 / 16));
    return {4, 4, Tensor::from(bytes, {count, 16}), {}};
  }
  std::vector<float> parameters() {
    std::vector<float> all;
    for (const Parameter& p : model.parameters())
      for (const float v : p.variable.value().to_vector()) all.push_back(v);
    return all;
  }

  Vae model;
  Optimizer optimizer;
  Trainer trainer;
};

void expect_same(const EpochResult& a, const EpochResult& b) {
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

TEST_F(GraphTraining, HasTheBitsOfTheEagerOne) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.name);
    Training eager(c, Executor::eager), graph(c, Executor::graph);
    for (int epoch = 0; epoch < 3; ++epoch) {
      expect_same(eager.trainer.run_epoch(), graph.trainer.run_epoch());
      EXPECT_EQ(eager.optimizer.steps(), graph.optimizer.steps());
    }
    EXPECT_EQ(eager.parameters(), graph.parameters());
  }
}

TEST_F(GraphTraining, FollowsTheCpu) {
  Case c = cases()[2];  // the warm-up and free bits on the device
  Training cpu(c, Executor::automatic, Device::cpu()), graph(c, Executor::graph);
  for (int epoch = 0; epoch < 3; ++epoch) {
    const double a = cpu.trainer.run_epoch().train.loss, b = graph.trainer.run_epoch().train.loss;
    EXPECT_TRUE(std::fabs(a - b) <= 1e-5 * std::fabs(a)) << a << " and " << b;
  }
}

// Also from the state of an eager run, and with an optimiser whose updates are not those of this run alone.
TEST_F(GraphTraining, ResumesBitForBit) {
  const Case c = cases()[0];
  Training straight(c, Executor::graph);
  for (int i = 0; i < 4; ++i) straight.trainer.run_epoch();
  for (const Executor before : {Executor::graph, Executor::eager}) {
    Training first(c, before), second(c, before == Executor::graph ? Executor::eager : Executor::graph);
    for (int i = 0; i < 2; ++i) first.trainer.run_epoch();
    second.trainer.run_epoch();  // of no consequence; its graphs have another count of updates
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
    const Stream mine(Device::cuda());  // another one every epoch
    const StreamGuard on(mine);
    expect_same(there.trainer.run_epoch(), here.trainer.run_epoch());
  }
}

TEST_F(GraphTraining, ReportsWhenAsked) {
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
  EXPECT_EQ(quiet.trainer.executor(), "graph: 5 steps a launch");
}

TEST_F(GraphTraining, AbandonedByItsCallerTheCountIsRight) {
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

// Reads a value on the host in the middle of the step.
class HostLikelihood final : public Likelihood {
 public:
  std::string name() const override { return "host"; }
  Variable log_density(const Variable& params, const Variable& x) const override {
    const Variable distance = sum(square(params - x), Axis::columns);
    return affine(distance, sum(distance).value().item() > 0 ? -1 : -2, 0);
  }
  Variable mean(const Variable& params) const override { return params; }
};

TEST_F(GraphTraining, WhatCannotBeCapturedIsRunEagerly) {
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
  EXPECT_EQ(Training(c, Executor::eager, Device::cpu()).trainer.executor(), "eager: as asked for");
  EXPECT_EQ(message_of([&] { Training(c, Executor::graph, Device::cpu()); }),
            "[train] expected a CUDA device for the graph executor, got cpu");
  EXPECT_EQ(message_of([&] { Training(c, Executor::fused, Device::cpu()); }),
            "[train] expected a CUDA device for the fused executor, got cpu");
  if (Device::cuda_count() == 0) return;
  if (!Device::cuda().backend().supports(Precision::tf32)) {
    EXPECT_EQ(Training(c, Executor::automatic).trainer.executor(),
              "graph: 5 steps a launch; not fused: the GPU has no tensor cores for TF32");
    return;
  }
  EXPECT_EQ(Training(c, Executor::automatic).trainer.executor(), "fused: 5 steps a launch");
  EXPECT_EQ(Training(c, Executor::graph).trainer.executor(), "graph: 5 steps a launch");
  EXPECT_EQ(Training(c, Executor::eager).trainer.executor(), "eager: as asked for");
  Case free{"free bits"};
  free.train.free_bits = 0.1;
  EXPECT_EQ(Training(free, Executor::automatic).trainer.executor(),
            "graph: 5 steps a launch; not fused: free bits want the KL divergence of the whole batch first");
  EXPECT_EQ(
      message_of([&] { Training(free, Executor::fused); }),
      "[train] expected a model that the fused executor covers, but free bits want the KL divergence of the "
      "whole batch first");
}

}  // namespace
}  // namespace gpuvae
