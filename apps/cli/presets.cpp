#include "apps/cli/presets.h"

namespace gpuvae::apps {
namespace {

Preset mnist_default() {
  Preset p{"default", "784-256-128-64-2, a good 2-D manifold in seconds: Adam, summed ELBO, 9 epochs", {}};
  RunConfig& c = p.config;
  c.model.encoder_widths = {256, 128, 64};
  c.optimizer.learning_rate = 2e-3;
  c.epochs = 9;
  return p;
}

Preset keras_mnist() {
  Preset p{"keras-mnist", "784-256-2, Keras notebook: RMSprop, 3 epochs", {}};
  RunConfig& c = p.config;
  c.optimizer = OptimizerOptions::defaults(OptimizerKind::rmsprop);
  c.pictures.encode = "sample";
  c.pictures.manifold = "quantile:5:0.01:0.99:right-up,linear:5:-5:5:left-up";
  return p;
}

Preset tf_mnist() {
  Preset p{
      "tf-mnist", "784-200-100 on binarised digits, TensorFlow 1: softplus sigma, RMSProp, 30 epochs", {}};
  RunConfig& c = p.config;
  c.data.train_images = 42000;
  c.model.encoder_widths = {200};
  c.model.latent = 100;
  c.model.initializer.weight = WeightInit::two_over_root_fan_in;
  c.distributions.posterior.scale = PosteriorScale::softplus;
  c.optimizer = OptimizerOptions::defaults(OptimizerKind::rmsprop_tf1);
  c.training.data.binarize = Binarize::threshold;
  c.training.batch_size = 64;
  c.training.drop_last = true;
  c.training.batch_sum = true;
  c.epochs = 30;
  c.log_every = 100;
  c.pictures.manifold = "linear:20:-3:3";
  return p;
}

// The settings that flex-mnist and flex-frey share.
RunConfig flex() {
  RunConfig c;
  c.model.encoder_widths = {200};
  c.training.frozen_noise = true;
  c.pictures.encode = "sample";
  c.pictures.manifold = "quantile:15:0.1:0.9:right-down";
  return c;
}

Preset flex_mnist() {
  Preset p{"flex-mnist", "784-200-2, flexible Keras framework, Bernoulli: Adam, frozen noise, 50 epochs",
           flex()};
  p.config.epochs = 50;
  return p;
}

Preset theano_mnist() {
  Preset p{"theano-mnist", "784-500 tanh-2, Theano: log sigma, SGD with L2 on all weights, 500 epochs", {}};
  RunConfig& c = p.config;
  c.data.train_images = 50000;
  c.data.validation_set = "rest";
  c.model.encoder_widths = {500};
  c.model.activation = Activation::tanh;
  c.model.initializer.weight = WeightInit::normal;
  c.model.initializer.weight_std = 0.01;
  c.model.initializer.bias_std = 0.01;
  c.distributions.posterior.scale = PosteriorScale::log_sigma;
  c.optimizer = OptimizerOptions::defaults(OptimizerKind::sgd);
  c.optimizer.learning_rate = 1e-3;
  c.optimizer.l2 = 0.01;
  c.optimizer.l2_biases = true;
  c.training.data.shuffle = false;
  c.epochs = 500;
  c.log_every = 200;
  c.pictures.encode = "sample";
  c.pictures.manifold = "data:20:down-right";
  return p;
}

// The settings that protocols of later papers share: dynamically binarised digits, Adam, 100 images per step,
// and output biases that start at the data's means.
RunConfig dynamic_mnist() {
  RunConfig c;
  c.training.data.binarize = Binarize::dynamic;
  c.data_output_bias = true;
  c.optimizer.epsilon = 1e-8;
  return c;
}

// Burda et al., arXiv:1509.00519: NLL of VAE 86.76, IWAE with 5 and 50 draws 85.54 and 84.78 (5,000 samples).
Preset iwae_mnist() {
  Preset p{"iwae-mnist",
           "784-200-200-50 tanh, importance weighted autoencoders: dynamic binarisation, 3,280 epochs; "
           "--objective iwae --objective-samples 5 or 50 for their bounds",
           dynamic_mnist()};
  RunConfig& c = p.config;
  c.model.encoder_widths = {200, 200};
  c.model.latent = 50;
  c.model.activation = Activation::tanh;
  c.training.batch_size = 20;
  c.optimizer.epsilon = 1e-4;
  c.schedule.name = "iwae";
  c.epochs = 3280;
  return p;
}

// The recipe that the VampPrior and the exemplar VAE share: gated layers, 40 latent dimensions, a KL warm-up
// of 100 epochs, and at most 2,000 epochs, 50 of them without a better validation.
Preset gated_mnist(const char* name, const char* description) {
  Preset p{name, description, dynamic_mnist()};
  RunConfig& c = p.config;
  c.data.train_images = 50000;
  c.data.validation_set = "rest";
  c.model.encoder_widths = {300, 300};
  c.model.gated = true;
  c.model.latent = 40;
  c.model.initializer.weight = WeightInit::he_normal;
  c.optimizer.learning_rate = 5e-4;
  c.training.warmup_epochs = 100;
  c.training.patience = 50;
  c.epochs = 2000;
  return p;
}

// Norouzi et al., arXiv:2004.04795: NLL 82.05 (5,000 samples, one seed).
Preset exemplar_mnist() {
  Preset p = gated_mnist("exemplar-mnist",
                         "784-300-300 gated-40, exemplar prior of 25,000 images per step: dynamic "
                         "binarisation, at most 2,000 epochs");
  p.config.distributions.prior = "exemplar";
  p.config.distributions.prior_components = 25000;
  return p;
}

// Tomczak and Welling, arXiv:1705.07120: NLL 85.57 on the static binarisation (5,000 samples).
Preset vamp_mnist() {
  Preset p = gated_mnist("vamp-mnist",
                         "784-300-300 gated-40, VampPrior of 500 pseudo-inputs: dynamic binarisation, at "
                         "most 2,000 epochs");
  p.config.distributions.prior = "vamp";
  p.config.distributions.prior_components = 500;
  return p;
}

// A discretised logistic likelihood on a shuffled split, as in Tomczak and Welling, whose losses are
// comparable as bits per dimension.
Preset frey_logistic() {
  Preset p{"frey-logistic",
           "560-200-200-40 tanh, discretised logistic with 256 bins: 1,565 training, 200 validation and 200 "
           "test faces, shuffled; 400 epochs, weights of the best",
           {}};
  RunConfig& c = p.config;
  c.data.split_seed = "7";
  c.data.train_images = 1565;
  c.data.validation_set = "rest";
  c.data.validation_images = 200;
  c.distributions.likelihood = "logistic-256";
  c.model.encoder_widths = {200, 200};
  c.model.latent = 40;
  c.model.activation = Activation::tanh;
  c.optimizer.epsilon = 1e-8;
  c.training.drop_last = true;
  c.training.patience = 400;
  c.epochs = 400;
  return p;
}

Preset frey_default() {
  Preset p{"default", "560-200-2, Gaussian with a learned variance for every pixel: Adam, 60 epochs", {}};
  RunConfig& c = p.config;
  c.distributions.likelihood = "gaussian";
  c.model.encoder_widths = {200};
  c.optimizer.learning_rate = 3e-3;
  c.epochs = 60;
  c.pictures.manifold = "data:12:0.02:0.98";
  return p;
}

Preset keras_frey() {
  Preset p{
      "keras-frey", "560-256-2, Keras demo: pixel-mean BCE, noise of 0.01 (not an ELBO), 100 epochs", {}};
  RunConfig& c = p.config;
  c.data.validation_images = 100;
  c.distributions.posterior.noise_std = 0.01;
  c.training.pixel_mean = true;
  c.epochs = 100;
  c.pictures.manifold = "data:15";
  c.pictures.latent_names = "humour,pose";
  c.pictures.sliders = "-15:15:3:0.01";
  return p;
}

Preset flex_frey() {
  Preset p{"flex-frey", "560-200-2, flexible Keras framework, Gaussian: Adam, frozen noise, 30 epochs",
           flex()};
  RunConfig& c = p.config;
  c.distributions.likelihood = "gaussian";
  c.epochs = 30;
  c.pictures.latent_names = "humour,pose";
  c.pictures.sliders = "-10:10:0.5";
  return p;
}

Preset file_default() {
  Preset p{"default", "any data: 128-64 hidden, 2 latent; Gaussian for numbers, Bernoulli for images", {}};
  RunConfig& c = p.config;
  c.data.standardize = true;
  c.distributions.likelihood = "auto";
  c.model.encoder_widths = {128, 64};
  c.epochs = 20;
  return p;
}

// Counts whose true likelihood is known (synthetic_counts). A correct model ends 0.02 to 0.06 nats above it.
Preset counts() {
  Preset p{"counts",
           "synthetic counts of 30 columns: 64 tanh-2, negative binomial with a dispersion per column, 500 "
           "epochs; true -log p(x) of the validation set 82.189",
           {}};
  RunConfig& c = p.config;
  c.data.builtin = true;
  c.distributions.likelihood = "negative-binomial";
  c.model.encoder_widths = {64};
  c.model.activation = Activation::tanh;
  c.epochs = 500;
  return p;
}

}  // namespace

std::vector<Preset> mnist_presets() {
  return {mnist_default(), keras_mnist(), tf_mnist(),       flex_mnist(),
          theano_mnist(),  iwae_mnist(),  exemplar_mnist(), vamp_mnist()};
}
std::vector<Preset> frey_presets() { return {frey_default(), keras_frey(), flex_frey(), frey_logistic()}; }
std::vector<Preset> file_presets() { return {file_default(), counts()}; }

}  // namespace gpuvae::apps
