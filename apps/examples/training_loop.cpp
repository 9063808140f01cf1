// A training loop without a Trainer: batches, the negative ELBO, its gradient, an optimiser and a schedule.
//
// Prints:
//   step  80: about 270 nats per image
//   step 160: about 180 nats per image
#include <gpuvae/gpuvae.h>

#include <cmath>
#include <cstdio>

using namespace gpuvae;

int main() {
  const Device device = Device::best();
  const Tensor images = procedural_mnist(4000, 1).train.examples.to(device);
  const Vae model({}, device);  // 784-256-2-256-784, ReLU, Bernoulli likelihood
  Adam adam(model.parameters(), {.learning_rate = 2e-3});
  const LinearWarmup schedule{.steps = 20};
  constexpr int kBatch = 50, kSteps = 160, kStepsPerEpoch = 4000 / kBatch;
  double loss = 0;
  for (int step = 0; step < kSteps; ++step) {
    const Clock clock{.step = static_cast<std::uint64_t>(step), .steps_per_epoch = kStepsPerEpoch};
    const Batch batch = gather_batch(images, kBatch, clock, {.seed = 1});
    const Draw draw{.noise = {.seed = 1, .clock = clock, .samples = batch.samples}};
    const Elbo elbo =
        model.negative_elbo(batch.x, draw, {.reconstruction = 1.0 / kBatch, .kl = 1.0 / kBatch});
    const Variable total = elbo.reconstruction + elbo.kl;
    adam.zero_grad();
    total.backward();
    adam.set_learning_rate(2e-3 * schedule(clock.step));
    adam.step();
    loss += total.value().item() / 80;  // waits for the device; a Trainer waits only for reports
    if (step % 80 == 79) {
      std::printf("step %3d: about %.0f nats per image\n", step + 1, 10 * std::round(loss / 10));
      loss = 0;
    }
  }
}
