// Hashes the results of fused training steps, and measures the times of the steps of all executors.
#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <map>
#include <memory>

#include "apps/cli/presets.h"
#include "bench/gpu_probe.h"
#include "bench/stopwatch.h"
#include "gpuvae/device/random.h"
#include "kernels/backend.h"
#include "kernels/cuda/launch.cuh"
#include "src/train/autograd_step.h"
#include "src/train/executor.h"
#include "src/train/fused_step.h"

namespace gpuvae::bench {
namespace {

// Returns the configuration of a preset of mnist_vae or frey_vae, or of "small": 40-24-3-24-40 at batch 10,
// for slow devices.
apps::RunConfig config_of(const std::string& preset) {
  for (const auto& presets : {apps::mnist_presets(), apps::frey_presets()})
    for (const apps::Preset& p : presets)
      if (p.name == (preset == "small" ? "keras-mnist" : preset)) {
        apps::RunConfig config = p.config;
        if (preset != "small") return config;
        config.model.encoder_widths = {24};
        config.model.latent = 3;
        config.training.batch_size = 10;
        return config;
      }
  throw Error("gpu_probe", "expected a preset of mnist_vae or frey_vae, or small, got " + preset);
}

std::int64_t pixels_of(const std::string& preset) {
  return preset == "small" ? 40 : preset.ends_with("frey") ? 560 : 784;
}

// Makes images of bytes of which four fifths are 0, as in MNIST, because the times of products depend on
// their data.
Dataset images_of(std::int64_t count, std::int64_t pixels, Device device) {
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(count * pixels));
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const std::uint32_t word = philox4x32(static_cast<std::uint32_t>(i), 1, 2, 3, 4).v[0];
    bytes[i] = word % 5 == 0 ? static_cast<std::uint8_t>(word >> 24) : 0;
  }
  return {1, static_cast<int>(pixels), Tensor::from(bytes, {count, pixels}, device), {}};
}

// A model, its optimiser and data, and a training step of the requested kind with its state on the device.
struct Training {
  apps::RunConfig config;
  TrainOptions options;
  Dataset images;
  Vae model;
  Optimizer optimizer;
  Tensor state;
  StepContext context;

  Training(const std::string& preset, Device device)
      : config(config_of(preset)),
        options(config.train_options(0)),
        images(images_of(50 * config.training.batch_size, pixels_of(preset), device)),
        model(config.vae_options(images.features()), device),
        optimizer(model.parameters(), config.optimizer),
        state(Tensor::from(std::vector<std::uint8_t>(sizeof(RunState)), {sizeof(RunState)}, device)) {
    context.state = static_cast<RunState*>(state.data());
    context.rows = config.training.batch_size;
    context.clock = {.device_step = step_counter(state), .steps_per_epoch = 50};
    context.updates = context.clock;
  }

  ChosenStep fused() { return {std::make_unique<FusedStep>(model, optimizer, images, options), "fused", ""}; }
  ChosenStep unfused() {
    return {std::make_unique<AutogradStep>(model, optimizer, images, options), "graph", ""};
  }
  std::string why_not_fused() { return FusedStep::why_not(model, optimizer, images, options); }
};

// 64-bit FNV-1a hash.
class Digest {
 public:
  void add(const Tensor& tensor) {
    const Tensor host = tensor.to(Device::cpu());
    const auto* bytes = static_cast<const unsigned char*>(host.data());
    for (std::size_t i = 0; i < host.bytes(); ++i) hash_ = (hash_ ^ bytes[i]) * 0x100000001b3u;
  }
  std::string text() const { return fmt::format("{:016x}", hash_); }

 private:
  std::uint64_t hash_ = 0xcbf29ce484222325u;
};

std::string digest_of(Training& training) {
  Digest digest;
  digest.add(training.optimizer.values());
  digest.add(training.optimizer.state1());
  digest.add(training.state);
  return digest.text();
}

double mean_loss(const Training& training, std::uint64_t steps) {
  RunState sums;
  const Tensor host = training.state.to(Device::cpu());
  std::memcpy(&sums, host.data(), sizeof sums);
  return (sums.sums[0] + sums.sums[1]) / static_cast<double>(steps) /
         static_cast<double>(training.config.training.batch_size);
}

}  // namespace

nlohmann::json fused_steps(Device device, const FusedStepsOptions& o) {
  const StreamGuard guard(o.legacy_stream ? Stream::wrap(device, nullptr) : Stream(device));
  Training training(o.preset, device);
  if (const std::string why = training.why_not_fused(); !why.empty()) return {{"unsupported", why}};
  StepExecutor executor(training.fused(), o.graph ? Executor::fused : Executor::eager, 100);
  nlohmann::json digests = nlohmann::json::object();
  std::uint64_t done = 0, next = 1;
  while (done < o.steps) {
    next = std::min(next, o.steps);
    executor.run(training.context, next - done);
    done = next;
    next *= 10;
    digests[std::to_string(done)] = digest_of(training);
  }
  std::int64_t not_finite = 0;
  for (double v : training.optimizer.values().to_doubles()) not_finite += !std::isfinite(v);
  const double loss = mean_loss(training, done);
  nlohmann::json result = {{"steps", done}, {"digests", digests}, {"not_finite", not_finite}};
  // dependent_launches is false if the device does not support dependent launches.
  result["dependent_launches"] = kernels::dependent_launches();
  result["mean_loss"] = std::isfinite(loss) ? nlohmann::json(loss) : nlohmann::json();
  return result;
}

namespace {

struct Contestant {
  const char* name;
  bool fused, graph;
};
constexpr Contestant kContestants[] = {
    {"eager", false, false}, {"graph", false, true}, {"fused, eager", true, false}, {"fused", true, true}};

// Returns the milliseconds that the device takes for the work that `body` queues.
double milliseconds(Device device, const Body& body) {
  kernels::Backend& backend = device.backend();
  const auto stream = Stream::current(device).handle();
  const kernels::EventHandle begin = backend.record_event(stream);
  body();
  const kernels::EventHandle end = backend.record_event(stream);
  const double time = backend.milliseconds_between(begin, end);
  backend.destroy_event(begin);
  backend.destroy_event(end);
  return time;
}

nlohmann::json time_steps(const std::string& preset, const Contestant& c, Device device,
                          const StepTimesOptions& o) {
  nlohmann::json row = {{"preset", preset}, {"executor", c.name}};
  Training training(preset, device);
  if (const std::string why = c.fused ? training.why_not_fused() : ""; !why.empty()) {
    row["unsupported"] = why;
    return row;
  }
  const ChosenStep step = c.fused ? training.fused() : training.unfused();
  step.body->enqueue(training.context);  // chooses algorithms and allocates workspaces
  const std::uint64_t before = device.backend().launches();
  step.body->enqueue(training.context);
  row["launches_per_step"] = device.backend().launches() - before;
  Stream::current(device).synchronize();
  std::optional<CudaGraph> graph;
  if (c.graph)
    graph.emplace(CudaGraph::capture(
        Stream::current(device), [&] { step.body->enqueue(training.context); }, o.steps));
  std::vector<double> times;
  for (int i = -2; i < o.launches; ++i) {  // two warm-up launches
    const double t = milliseconds(device, [&] {
      if (graph) return graph->launch();
      for (int s = 0; s < o.steps; ++s) step.body->enqueue(training.context);
    });
    if (i >= 0) times.push_back(t * 1e3 / o.steps);
  }
  const Statistics s = statistics_of(times);
  row.update(
      {{"us", s.median}, {"low", s.low}, {"high", s.high}, {"steps", o.steps}, {"samples", s.samples}});
  row["batch"] = training.config.training.batch_size;
  return row;
}

}  // namespace

nlohmann::json step_times(Device device, const StepTimesOptions& o) {
  const StreamGuard guard{Stream(device)};
  nlohmann::json rows = nlohmann::json::array();
  for (const std::string& preset : o.presets)
    for (const Contestant& c : kContestants) rows.push_back(time_steps(preset, c, device, o));
  return {{"rows", rows}};
}

}  // namespace gpuvae::bench
