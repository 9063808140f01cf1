// Trains a variational autoencoder on the built-in digits for two epochs, then encodes and decodes one digit.
// To train on MNIST, replace procedural_mnist(...) by load_mnist("data").
//
// Prints:
//   epoch 1: 177 nats per image
//   epoch 2: 163 nats per image
//   The encoder turns a digit into 2 numbers, and the decoder turns these into 784 pixels.
#include <gpuvae/gpuvae.h>

#include <cstdio>

using namespace gpuvae;

int main() {
  const Device device = Device::best();
  const Split digits = procedural_mnist(4000, 500);
  VaeOptions options;  // 784-256-2-256-784, ReLU, Bernoulli likelihood
  options.latent = 2;
  const Vae model(options, device);
  Adam adam(model.parameters(), {.learning_rate = 3e-3});
  Trainer trainer(model, adam, digits.train.to(device), digits.test.to(device), {.batch_size = 50});
  for (const EpochResult& epoch : trainer.run_epochs(2))
    std::printf("epoch %d: %.0f nats per image\n", epoch.epoch, epoch.validation.loss);

  const Batch digit = gather_batch(digits.test.to(device).examples, 1, {}, {.shuffle = false}, DType::f32, 1);
  const Variable code = model.encode_mean(digit.x);
  std::printf("The encoder turns a digit into %lld numbers, and the decoder turns these into %lld pixels.\n",
              static_cast<long long>(code.shape().columns()),
              static_cast<long long>(model.decode_mean(code).shape().columns()));
}
