// The groups Model and Loss.
#include "apps/cli/settings.h"
#include "src/vae/named_distributions.h"

namespace gpuvae::apps {
namespace {

std::vector<std::string> likelihood_names() {
  std::vector<std::string> names;
  for (const NamedLikelihood& likelihood : named_likelihoods()) names.push_back(likelihood.name);
  names.emplace_back("auto");
  return names;
}

std::string likelihood_help() {
  std::string text = "distribution p(x | z): ";
  for (const NamedLikelihood& likelihood : named_likelihoods()) {
    text += likelihood.name;
    if (!likelihood.description.empty()) text += " (" + likelihood.description + ")";
    text += ", ";
  }
  return text +
         "or auto: columns with --column-types, else bernoulli for images and gaussian for other numbers";
}

Binding gaussian_mean(RunConfig& c) {
  return one_of(
      {"auto", "sigmoid", "identity"}, [&c] { return static_cast<std::size_t>(c.gaussian_mean); },
      [&c](std::size_t index) { c.set_gaussian_mean(static_cast<GaussianMean>(index)); });
}

// Returns the mistake in a value of --posterior, or an empty string.
std::string posterior_mistake(const std::string& family) {
  try {
    static_cast<void>(named_posterior(family));
    return "";
  } catch (const Error& error) {
    const std::string message = error.what();
    return message.substr(message.find("expected"));
  }
}

}  // namespace

std::vector<Setting> model_settings(RunConfig& c) {
  VaeOptions& model = c.model;
  DistributionSettings& d = c.distributions;
  Initializer& init = model.initializer;
  return {
      {"--hidden", widths(model.encoder_widths),
       "widths of the encoder's hidden layers, from the first to the last"},
      {"--decoder-hidden", widths(model.decoder_widths),
       "widths of the decoder's hidden layers, from the first to the last (default: --hidden reversed)"},
      {"--latent", whole_number(model.latent, at_least(1)), "number of latent dimensions"},
      {"--activation", choice(model.activation, all_activations().back()),
       "activation function of all hidden layers"},
      {"--gated", yes(model.gated),
       "make every hidden layer a gated one, y = (W x + b) * sigmoid(V x + c), without the function of "
       "--activation; the models that introduced them to VAEs were initialised by --init he_normal"},
      {"--precision", choice(model.precision, Precision::bf16),
       "number format of the factors in large matrix products; tf32 and bf16 need a device that supports "
       "them"},
      {"--posterior", text(d.posterior_family, "FAMILY", posterior_mistake),
       "distribution q(z | x): gaussian (diagonal), planar:N (planar flow of N layers, such as planar:4), "
       "iaf:N "
       "or iaf:N:UNITS (inverse autoregressive flow of N masked networks with 200 or UNITS hidden units), or "
       "full (Gaussian with a full covariance matrix); the KL term of flows is estimated at the draw; "
       "--prior vamp "
       "needs gaussian, and --objective stl, iwae_stl and dreg need gaussian or full"},
      {"--posterior-scale", choice(d.posterior.scale, PosteriorScale::softplus),
       "meaning of the encoder's output s for the standard deviation of q(z | x): exp(s / 2) with "
       "log_variance, "
       "exp(s) with log_sigma, softplus(s) with softplus"},
      {"--likelihood", one_of(d.likelihood, likelihood_names()), likelihood_help()},
      {"--gaussian-mean", gaussian_mean(c),
       "function that gives the mean of p(x | z), where x may be any number as with --likelihood gaussian, "
       "and the pseudo-inputs of --prior vamp: sigmoid keeps both in [0, 1], identity does not; auto is "
       "sigmoid for bytes and for the likelihoods bernoulli and continuous-bernoulli, else identity"},
      {"--sigma", number(d.sigma, above_zero()),
       "standard deviation of the Gaussian p(x | z), in the units of the model, which are standard "
       "deviations of standardised columns (--likelihood gaussian-fixed)"},
      {"--log-variance-low", number(d.gaussian.low),
       "lower bound of the Gaussian's log variance (--likelihood gaussian or gaussian-shared)"},
      {"--log-variance-high", number(d.gaussian.high),
       "upper bound of the Gaussian's log variance (--likelihood gaussian or gaussian-shared)"},
      {"--log-scale-low", number(d.log_scale_low, between(-30, 30)),
       "lower bound of the log scale, in units in which bytes are 0 to 1 (--likelihood logistic-256)"},
      {"--log-scale-high", number(d.log_scale_high, between(-30, 30)),
       "upper bound of the log scale (--likelihood logistic-256)"},
      {"--column-types", text(d.column_types, "TYPES"),
       "types of the columns of a table without those of --condition, in their order, such as "
       "bernoulli:3,gaussian:5,categorical:4, or by name, such as gaussian:age,categorical:red+green; a "
       "categorical variable is a group of one-hot columns. Types: bernoulli, continuous-bernoulli, "
       "gaussian, laplace, poisson, negative-binomial, "
       "zero-inflated-negative-binomial, categorical, library (--likelihood columns)"},
      {"--library-reference", number(d.library_reference, at_least(0)),
       "library size at which counts are decoded and drawn; 0 stands for the mean of the training rows "
       "(--library-size)",
       false},
      {"--log1p-counts", yes(d.log1p_counts),
       "give counts to the encoder as log(1 + x) (likelihoods of counts)"},
      {"--prior", one_of(d.prior, prior_names()),
       "distribution p(z): normal is N(0, I), mixture is a learned mixture of Gaussians, vamp is a "
       "VampPrior, the "
       "mean of q(z | u) over learned pseudo-inputs u (--posterior gaussian), exemplar is the mean of "
       "Gaussians around the codes of "
       "the "
       "training examples, which every command then needs"},
      {"--prior-components", whole_number(d.prior_components, between(1, kMaxPriorComponents)),
       "number of Gaussians (--prior mixture), pseudo-inputs (--prior vamp) or exemplars per training step "
       "(--prior "
       "exemplar)"},
      {"--init", choice(init.weight, WeightInit::two_over_root_fan_in),
       "distribution of the initial weights"},
      {"--init-std", number(init.weight_std, at_least(0)),
       "standard deviation of the initial weights (--init normal)"},
      {"--bias-std", number(init.bias_std, at_least(0)),
       "standard deviation of the initial biases, whose mean is 0"},
      {"--output-bias", one_of(c.data_output_bias, "data", "zero"),
       "initial biases of the decoder's output: zero, or data, with which the mean of p(x | z) starts at the "
       "mean of each feature in the training set"},
      {"--init-generator", choice(init.generator, InitGenerator::curand),
       "random generator of the initial weights and biases: philox runs on every device, curand is NVIDIA's "
       "cuRAND "
       "and needs --device cuda"},
  };
}

std::vector<Setting> loss_settings(RunConfig& c) {
  TrainOptions& t = c.training;
  return {
      {"--noise-std", number(c.distributions.posterior.noise_std, above_zero()),
       "standard deviation of epsilon in z = mean + epsilon * sigma; the loss is an ELBO only at 1"},
      {"--frozen-noise", yes(t.frozen_noise),
       "draw one epsilon per image for the whole run instead of a new one in each epoch"},
      {"--pixel-mean", yes(t.pixel_mean),
       "average the reconstruction loss over the pixels instead of summing it; the loss is then not an ELBO"},
      {"--batch-sum", yes(t.batch_sum),
       "take the gradient of the loss's sum over the batch instead of its mean"},
      {"--beta", number(t.beta, at_least(0)), "weight of the KL term in the loss"},
      {"--warmup-epochs", number(t.warmup_epochs, at_least(0)),
       "number of epochs over which the weight of the KL term rises linearly from 0 to --beta"},
      {"--free-bits", number(t.free_bits, at_least(0)),
       "KL per latent dimension (nats) that is not penalised"},
      {"--objective", choice(t.objective.kind, ObjectiveKind::piwae),
       "bound on log p(x) that training maximises with --objective-samples draws of z per image: elbo; stl "
       "(the ELBO "
       "with the path derivative as gradient); iwae (importance-weighted); iwae_stl; dreg (iwae with the "
       "doubly "
       "reparameterised gradient); ciwae (a mixture of elbo and iwae); miwae (the mean of several iwae); "
       "piwae "
       "(miwae for the encoder, iwae for the decoder); stl, iwae_stl and dreg need --posterior gaussian or "
       "full, and "
       "piwae needs --prior normal and a likelihood other than gaussian-shared, negative-binomial and "
       "zero-inflated-negative-binomial, whose parameters are learned"},
      {"--objective-samples", whole_number(t.objective.samples, between(1, kMaxDraws)),
       "draws of z per image in a training step; of --objective miwae and piwae: per group"},
      {"--objective-groups", whole_number(t.objective.groups, between(1, kMaxDraws)),
       "number of groups of draws per image (--objective miwae or piwae)"},
      {"--objective-mix", number(t.objective.mix, between(0, 1)),
       "share of the ELBO in the bound, from 0 to 1 (--objective ciwae)"},
      {"--sampled-kl", yes(t.objective.sampled_kl),
       "estimate the KL divergence from the draws of z even where a closed form exists (--objective elbo)"},
  };
}

}  // namespace gpuvae::apps
