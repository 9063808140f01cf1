// Walks over the public API with handles that are null, undefined or were moved from, and with empty
// functions. Each call must throw Error: a crash ends the test.
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "gpuvae/custom.h"
#include "gpuvae/data.h"
#include "gpuvae/evaluate.h"
#include "gpuvae/export_header.h"
#include "gpuvae/graph.h"
#include "gpuvae/onnx.h"
#include "gpuvae/safetensors.h"
#include "gpuvae/train_many.h"
#include "gpuvae/weights.h"
#include "tests/devices.h"
#include "tests/error_calls.h"
#include "tests/temporary_folder.h"

namespace gpuvae {
namespace {

using test::Call;
using test::call;
using test::devices;
using test::expect_errors;

std::vector<Call> calls_of(const std::string& which, const Tensor& t) {
  const auto named = [&](const char* member) { return which + "." + member; };
  return {
      {named("data"), call([=] { return t.data(); })},
      {named("data_as"), call([=] { return t.data_as<float>(); })},
      {named("reshape"), call([=] {
         return t.reshape({1, 1});
       })},
      {named("slice"), call([=] { return t.slice(0, 1); })},
      {named("clone"), call([=] { return t.clone(); })},
      {named("to(cpu)"), call([=] { return t.to(Device::cpu()); })},
      {named("to(f32)"), call([=] { return t.to(DType::f32); })},
      {named("to(f64)"), call([=] { return t.to(DType::f64); })},
      {named("copy_from"), [=] { t.copy_from(Tensor::zeros(t.shape())); }},
      {"copy_from " + which, [=] { Tensor::zeros(t.shape()).copy_from(t); }},
      {named("fill"), [=] { t.fill(1); }},
      {named("to_vector"), call([=] { return t.to_vector(); })},
      {named("to_doubles"), call([=] { return t.to_doubles(); })},
      {named("item"), call([=] { return t.item(); })},
  };
}

TEST(HandlesOnDevice, UndefinedAndMovedFromTensorsAreErrors) {
  for (const Device device : devices()) {
    Tensor source = Tensor::full({1}, 3, DType::f32, device);
    const Tensor moved_to = std::move(source);
    EXPECT_FALSE(source);  // NOLINT: the moved-from tensor is what this test is about
    EXPECT_FALSE(source.is_sole_owner());
    EXPECT_EQ(source.version(), 0u);
    source.increment_version();
    EXPECT_EQ(source.text(), "an undefined tensor");
    expect_errors(calls_of("an undefined tensor", Tensor()));
    expect_errors(calls_of("a moved-from tensor", source));
    EXPECT_EQ(moved_to.item(), 3);
  }
}

TEST(HandlesOnDevice, StreamsAndEventsStayUsableAfterAMove) {
  for (const Device device : devices()) {
    Stream stream(device);
    const Stream other = std::move(stream);
    EXPECT_EQ(stream, other) << "a moved-from stream must not become the default stream";  // NOLINT
    Event event = other.record();
    const Event moved_to = std::move(event);
    event.synchronize();  // NOLINT
    EXPECT_GE(moved_to.milliseconds_since(event), 0);
    other.wait(event);
  }
}

TEST(HandlesOnDevice, MovedFromGraphsAndEmptyBodiesAreErrors) {
  if (Device::cuda_count() == 0) GTEST_SKIP() << "no GPU";
  const Stream stream(Device::cuda());
  const StreamGuard on(stream);
  CudaGraph source = CudaGraph::capture(stream, [] {});
  const CudaGraph graph = std::move(source);
  expect_errors({
      {"launch", [&] { source.launch(); }},  // NOLINT
      {"nodes", call([&] { return source.nodes(); })},
      {"stream", call([&] { return source.stream(); })},
      {"sharing", call([&] {
         return CudaGraph::capture(
             stream, [] {}, 1, &source);
       })},
      {"an empty body", call([&] { return CudaGraph::capture(stream, {}); })},
  });
  graph.launch();
}

TEST(HandlesOnDevice, ParametersWithoutVariableAreErrors) {
  for (const Device device : devices()) {
    std::vector<Parameter> parameters = {{"a", {}, false}};
    Linear().collect(parameters);
    const test::TemporaryFolder folder;
    const std::filesystem::path file = folder.path() / "model.safetensors";
    Linear layer("layer", 4, 2, Activation::relu, {}, device);
    std::vector<Parameter> real;
    layer.collect(real);
    save_parameters(file, real);
    const std::vector<Parameter> renamed = {{"layer.weight", {}, false}, {"layer.bias", {}, true}};
    const Variable x(Tensor::zeros({2, 4}, DType::f32, device));
    expect_errors({
        {"Optimizer", call([&] { return Optimizer(parameters, {}).steps(); })},
        {"Adam", call([&] { return Adam(parameters).steps(); })},
        {"no parameters", call([&] { return Adam(std::span<const Parameter>()).steps(); })},
        {"save_parameters", [&] { save_parameters(folder.path() / "other", parameters); }},
        {"load_parameters", call([&] { return load_parameters(file, renamed); })},
        {"Linear", call([&] { return Linear()(x); })},
        {"GatedLinear", call([&] { return GatedLinear()(x); })},
        {"Mlp", call([&] { return Mlp()(Variable()) + 1; })},
    });
  }
}

TEST(HandlesOnDevice, MovedFromOptimisersAreErrors) {
  for (const Device device : devices()) {
    Linear layer("layer", 4, 2, Activation::relu, {}, device);
    std::vector<Parameter> parameters;
    layer.collect(parameters);
    Adam source(parameters, {.clip_norm = 1});
    Optimizer optimizer = std::move(source);
    source.zero_grad();  // NOLINT
    EXPECT_EQ(source.variable_count(), 0u);
    EXPECT_FALSE(source.updates(layer.weight));
    EXPECT_FALSE(source.values());
    expect_errors({
        {"step", [&] { source.step(); }},
        {"step(clock)", [&] { source.step(Clock()); }},
        {"step_if_finite", [&] { source.step_if_finite({}, {}, {}); }},
        {"count", [&] { source.count(1); }},
        {"steps", call([&] { return source.steps(); })},
        {"clock", call([&] { return source.clock(); })},
        {"set_learning_rate", [&] { source.set_learning_rate(0.1); }},
        {"gradients", call([&] { return source.gradients(); })},
        {"gradient_norm", call([&] { return source.gradient_norm(); })},
        {"gradient_scale", call([&] { return source.gradient_scale(); })},
        {"is_finite", call([&] { return source.is_finite(); })},
        {"restore", [&] { source.restore(1, {}, {}); }},
        {"restore of an undefined state", [&] { optimizer.restore(1, {}, {}); }},
        {"unfused", [&] { unfused::optimizer_step({}, 0, 0, {}, {}, {}, {}); }},
    });
    optimizer.step();
    EXPECT_EQ(optimizer.steps(), 1u);
  }
}

TEST(Handles, FilesRefuseUndefinedTensorsAndParameters) {
  const test::TemporaryFolder folder;
  const std::filesystem::path path = folder.path() / "weights.safetensors";
  const NamedTensor weight[] = {{"w", Tensor::full({2}, 3)}}, none[] = {{"w", Tensor()}};
  write_safetensors(path, weight);
  SafetensorsReader source(path);
  const SafetensorsReader reader = std::move(source);
  EXPECT_EQ(source.read("w").to_vector(), reader.read("w").to_vector());  // NOLINT: a move is a copy
  const std::vector<Parameter> parameters = {{"w", {}, false}};
  expect_errors({
      {"write_safetensors", [&] { write_safetensors(folder.path() / "none", none); }},
      {"load_weights", call([&] { return load_weights(reader, parameters); })},
      {"a stored float that does not exist",
       [&] { write_safetensors(folder.path() / "none", weight, {}, static_cast<StoredFloat>(9)); }},
  });
  EXPECT_EQ(folder.names(), std::vector<std::string>{"weights.safetensors"});
}

VaeOptions handles_model() {
  VaeOptions options;
  options.features = 4;
  options.encoder_widths = {3};
  return options;
}

TEST(HandlesOnDevice, MovedFromModelsAndNullPartsAreErrors) {
  for (const Device device : devices()) {
    Vae source(handles_model(), device);
    const Vae model = std::move(source);
    const Variable x(Tensor::zeros({2, 4}, DType::f32, device)), z(Tensor::zeros({2, 2}, DType::f32, device));
    const Dataset data{1, 4, x.value()};
    std::vector<Call> calls = {
        {"encode", call([&] { return source.encode(x); })},  // NOLINT
        {"encode_mean", call([&] { return source.encode_mean(x); })},
        {"encode_sample", call([&] { return source.encode_sample(x, {}); })},
        {"decode", call([&] { return source.decode(z); })},
        {"decode_mean", call([&] { return source.decode_mean(z); })},
        {"reconstruct", call([&] { return source.reconstruct(x); })},
        {"sample_prior", call([&] { return source.sample_prior(1, 0); })},
        {"posterior_predictive", call([&] { return source.posterior_predictive(x, 0); })},
        {"for_evaluation", call([&] { return source.for_evaluation(); })},
        {"negative_elbo", call([&] { return source.negative_elbo(x, {}, {}); })},
        {"negative_objective", call([&] { return source.negative_objective(x, {}, {}); })},
        {"parameters", call([&] { return source.parameters(); })},
        {"parameter_count", call([&] { return source.parameter_count(); })},
        {"posterior", call([&] { return source.posterior().name(); })},
        {"likelihood", call([&] { return source.likelihood().name(); })},
        {"prior", call([&] { return source.prior().name(); })},
        {"evaluate_elbo", call([&] { return evaluate_elbo(source, data, {}); })},
        {"importance_weighted_nll", call([&] { return importance_weighted_nll(source, data, 2, {}); })},
        {"latent_statistics", call([&] { return latent_statistics(source, data, {}); })},
        {"encode_all", call([&] { return encode_all(source, data, {}); })},
        {"reconstruct_all", call([&] { return reconstruct_all(source, data, {}); })},
        {"evaluation of no data", call([&] { return evaluate_elbo(model, {}, {}); })},
        {"encoding of no data", call([&] { return encode_all(model, {}, {}); })},
        {"export_header", call([&] { return export_header(source); })},
        {"export_onnx_encoder", [&] { export_onnx_encoder(source, "none.onnx"); }},
        {"export_onnx_decoder", [&] { export_onnx_decoder(source, "none.onnx"); }},
        {"a format that does not exist",
         call([&] { return export_header(model, {.format = static_cast<HeaderFormat>(9)}); })},
    };
    for (int part = 0; part < 3; ++part) {
      VaeOptions options = handles_model();
      if (part == 0) options.posterior = nullptr;
      if (part == 1) options.likelihood = nullptr;
      if (part == 2) options.prior = nullptr;
      calls.push_back({"a null part", call([=] { return Vae(options, device).parameter_count(); })});
    }
    expect_errors(calls);
    EXPECT_GT(model.parameter_count(), 0);
  }
}

TEST(HandlesOnDevice, UninitialisedPriorsAreErrors) {
  const Variable z(Tensor::zeros({2, 2}));
  for (const auto& prior : {gaussian_mixture_prior(2), vamp_prior(2), vamp_prior(2, false)})
    expect_errors({
        {"log_density", call([&] { return prior->log_density(z); })},
        {"sample", call([&] { return prior->sample(1, 2, {}, Device::cpu()); })},
    });
  ModelContext without_encoder;
  without_encoder.features = 4;
  without_encoder.latent = 2;
  without_encoder.posterior_has_log_variances = true;
  expect_errors({{"no encoder", [&] { vamp_prior(2)->initialize(without_encoder); }}});
}

TEST(HandlesOnDevice, EmptyCallbacksAndTrainersAreErrors) {
  for (const Device device : devices()) {
    const Vae model(handles_model(), device);
    Adam optimizer(model.parameters()), moved(std::vector<Parameter>{{"w", {Tensor::zeros({1}), true}}});
    const Optimizer kept = std::move(moved);
    const Dataset data{1, 4, Tensor::zeros({3, 4}, DType::f32, device)};
    Vae source(handles_model(), device);
    const Vae moved_to = std::move(source);
    Trainer trainer(model, optimizer, data, {}, {.batch_size = 2});
    const TrainJob no_trainer[] = {{nullptr, 1}};
    const TrainFunction no_function[] = {{}};
    const auto trainer_of = [&](const Vae& of, Optimizer& by, const Dataset& on,
                                const TrainOptions& options) {
      return call([&of, &by, on, options] { return Trainer(of, by, on, {}, options).steps_done(); });
    };
    expect_errors({
        {"on_steps", [&] { trainer.on_steps(1, {}); }},
        {"on_epoch", [&] { trainer.on_epoch({}); }},
        {"train_many, null", call([&] { return train_many(no_trainer); })},
        {"train_many, empty", call([&] { return train_many(no_function); })},
        {"Trainer, moved-from optimiser", trainer_of(model, moved, data, {})},   // NOLINT
        {"Trainer, moved-from model", trainer_of(source, optimizer, data, {})},  // NOLINT
        {"Trainer, no data", trainer_of(model, optimizer, {}, {})},
    });
    trainer.stop_when({});
    trainer.on_rewind({});
    static_cast<void>(trainer.run_epoch({}));
    EXPECT_EQ(trainer.steps_done(), 2u);
  }
}

TEST(HandlesOnDevice, UndefinedDataSetsAreErrors) {
  const Dataset none;
  Dataset few{1, 2, Tensor::zeros({3, 2})};
  few.labels = {1};
  const Standardization by{{0, 0}, {1}};
  std::vector<float> rows = {1, 2};
  expect_errors({
      {"count", call([&] { return none.count(); })},
      {"features", call([&] { return none.features(); })},
      {"slice", call([&] { return none.slice(0, 1); })},
      {"select", call([&] { return none.select(std::vector<std::int64_t>{0}); })},
      {"fingerprint", call([&] { return fingerprint(none); })},
      {"gather_batch", call([&] { return gather_batch(none, 1, {}, {}); })},
      {"gather_batch of a tensor", call([&] { return gather_batch(Tensor(), 1, {}, {}); })},
      {"unfused gather_batch", call([&] { return unfused::gather_batch(Tensor(), 1, {}, {}); })},
      {"too few labels", call([&] { return few.slice(0, 2); })},
      {"standardize nothing", [&] { standardize(by, Tensor()); }},
      {"standardize",
       [&] {
         standardize(by, Tensor::zeros({1, 2}));
       }},
      {"restore_units", [&] { restore_units(by, rows); }},
      {"restored", call([&] { return restored({.standardization = by}, rows); })},
  });
  EXPECT_FALSE(none.to(Device::cpu()).defined());
}

}  // namespace
}  // namespace gpuvae
