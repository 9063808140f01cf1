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
  return {mnist_default(), keras_mnist(), tf_mnist(), flex_mnist(), theano_mnist()};
}
std::vector<Preset> frey_presets() { return {frey_default(), keras_frey(), flex_frey()}; }
std::vector<Preset> file_presets() { return {file_default(), counts()}; }

}  // namespace gpuvae::apps
