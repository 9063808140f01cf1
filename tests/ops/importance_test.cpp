// Compares the estimators of objectives with several draws with values that an independent implementation
// computed: a model of two images, three Bernoulli pixels, two latent dimensions and four draws with given
// noise.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "gpuvae/error.h"
#include "gpuvae/ops.h"
#include "tests/devices.h"
#include "tests/special_values.h"

namespace gpuvae {
namespace {

using test::kInfinity;

using Numbers = std::vector<double>;

constexpr std::int64_t kImages = 2, kDraws = 4;

// An estimator of the model's loss, and what it must give: the value and the gradients with respect to the
// means, the log variances, and the decoder's weights and biases.
struct Estimator {
  const char* name;
  EncoderGradient gradient;
  ImportanceOptions options;
  bool closed_kl;
  double value;
  Numbers d_mean, d_log_variance;
  const Numbers *d_weight, *d_bias;
};

const Numbers kElboWeight = {-0.0428158348, -0.0040792342, 0.0766550708,
                             0.0826104208,  -0.0594681063, 0.1030580669};
const Numbers kElboBias = {-0.0061572894, -0.0226764767, -0.4212322934};
const Numbers kIwaeWeight = {-0.1539743062, 0.0769897541,  0.0402961571,
                             0.0463349803,  -0.0376592612, -0.0306991524};
const Numbers kIwaeBias = {-0.0125822697, -0.0161508185, -0.3204283030};
const Numbers kCiwaeWeight = {-0.1206267648, 0.0526690576,  0.0512038312,
                              0.0572176124,  -0.0442019147, 0.0094280133};
const Numbers kCiwaeBias = {-0.0106547756, -0.0181085159, -0.3506695001};
const Numbers kMiwaeWeight = {-0.0980716817, 0.0354311327,  0.0244422620,
                              0.0456608503,  -0.0317912137, 0.0563280007};
const Numbers kMiwaeBias = {0.0114342289, -0.0464258769, -0.3729087342};

ImportanceOptions bound(std::int64_t samples, std::int64_t groups, double elbo_share, double kl_weight = 1) {
  ImportanceOptions o;
  o.samples = samples;
  o.groups = groups;
  o.elbo_share = elbo_share;
  o.weight = 1.0 / kImages;
  o.kl_weight = kl_weight;
  return o;
}

std::vector<Estimator> estimators() {
  using enum EncoderGradient;
  return {
      {"ELBO, closed KL",
       total,
       bound(4, 1, 1),
       true,
       1.8484440129,
       {-0.3232707823, -0.0995422963, 0.0349405761, -0.2805276818},
       {-0.0174346757, 0.1176763067, 0.1080181524, -0.0738332386},
       &kElboWeight,
       &kElboBias},
      {"ELBO, sampled KL",
       total,
       bound(4, 1, 1),
       false,
       1.8065193968,
       {-0.2925683791, -0.0995422963, 0.0612223535, -0.1879254042},
       {0.0085371363, -0.0304187778, -0.0159767020, -0.0230700995},
       &kElboWeight,
       &kElboBias},
      {"beta 0.5, closed KL",
       total,
       bound(4, 1, 1, 0.5),
       true,
       1.7502308431,
       {-0.3982707823, -0.0495422963, 0.1599405761, -0.3805276818},
       {0.0237753186, 0.0900009619, 0.0948717876, -0.0174346932},
       &kElboWeight,
       &kElboBias},
      {"beta 0.5, sampled KL",
       total,
       bound(4, 1, 1, 0.5),
       false,
       1.7292685351,
       {-0.3829195807, -0.0495422963, 0.1730814648, -0.3342265430},
       {0.0367612245, 0.0159534197, 0.0328743604, 0.0079468764},
       &kElboWeight,
       &kElboBias},
      {"STL",
       path,
       bound(4, 1, 1),
       false,
       1.8065193968,
       {-0.3383709825, -0.0995422963, 0.0374416179, -0.3566577552},
       {-0.0233378637, 0.0908312222, 0.0902732980, -0.0818200995},
       &kElboWeight,
       &kElboBias},
      {"IWAE",
       total,
       bound(4, 1, 0),
       false,
       1.6544994626,
       {0.0841086932, 0.1668328928, -0.0796077454, 0.0134652885},
       {0.0492487609, -0.0176866911, -0.0351220287, -0.0560549595},
       &kIwaeWeight,
       &kIwaeBias},
      {"IWAE-STL",
       path,
       bound(4, 1, 0),
       false,
       1.6544994626,
       {-0.3789080385, -0.0161369582, -0.0298693174, -0.3806149287},
       {-0.1376149987, 0.0701032481, 0.0828437138, -0.1159274897},
       &kIwaeWeight,
       &kIwaeBias},
      {"DReG",
       doubly_reparameterized,
       bound(4, 1, 0),
       false,
       1.6544994626,
       {-0.1629530363, 0.0196652490, -0.0235730086, -0.1128585158},
       {-0.0911722472, 0.0206734003, 0.0215654763, -0.0401338893},
       &kIwaeWeight,
       &kIwaeBias},
      {"CIWAE, share 0.3",
       total,
       bound(4, 1, 0.3),
       false,
       1.7001054429,
       {-0.0288944285, 0.0869203361, -0.0373587157, -0.0469519193},
       {0.0370352735, -0.0215063171, -0.0293784307, -0.0461595015},
       &kCiwaeWeight,
       &kCiwaeBias},
      {"MIWAE, 2 groups of 2",
       total,
       bound(2, 2, 0),
       false,
       1.7374055237,
       {-0.0542508564, 0.0330847104, 0.0758445102, -0.1744790705},
       {-0.0016320605, -0.0016057634, -0.0064642994, -0.0331259753},
       &kMiwaeWeight,
       &kMiwaeBias},
  };
}

// The model, with the parameters of q and of the decoder as leaves.
struct DrawnModel {
  explicit DrawnModel(DType dtype, Device device)
      : posterior_params(leaf({.3, -.2, -.4, .2, -.5, .4, .1, -.6}, {kImages, 4}, dtype, device)),
        weight(leaf({.8, -1.2, .5, -.6, .9, 1.1}, {2, 3}, dtype, device)),
        bias(leaf({.1, -.3, .2}, {3}, dtype, device)),
        x(constant({1, 0, 1, 0, 1, 1}, {kImages, 3}, dtype, device)),
        // The draws of image 0, then those of image 1.
        epsilon(constant({.5, -1, -.7, .4, 1.6, .9, -1.1, -.3, 1.2, .3, -.2, -1.5, .1, .8, -.9, 1.4},
                         {kImages * kDraws, 2}, dtype, device)) {}

  static Tensor constant(const Numbers& values, Shape shape, DType dtype, Device device) {
    return Tensor::from(values, shape).to(dtype).to(device);
  }
  static Variable leaf(const Numbers& values, Shape shape, DType dtype, Device device) {
    return Variable(constant(values, shape, dtype, device), true);
  }

  PosteriorDraws draws(EncoderGradient gradient, bool fused) const {
    PosteriorDrawOptions o;
    o.posterior.epsilon = epsilon;
    o.draws = kDraws;
    o.gradient = gradient;
    return fused ? sample_posterior_draws(posterior_params, o)
                 : unfused::sample_posterior_draws(posterior_params, o);
  }
  ImportanceLoss loss(const PosteriorDraws& draws, const ImportanceOptions& o, bool closed_kl,
                      bool fused) const {
    const Variable log_likelihood = bernoulli_log_density(matmul(draws.z, weight) + bias, x);
    const Variable ratio = closed_kl ? Variable() : draws.log_ratio;
    return fused ? importance_weighted_loss(log_likelihood, ratio, o)
                 : unfused::importance_weighted_loss(log_likelihood, ratio, o);
  }
  Variable estimate(const Estimator& e, bool fused) const {
    const Variable sampled = loss(draws(e.gradient, fused), e.options, e.closed_kl, fused).loss;
    if (!e.closed_kl) return sampled;
    return sampled + kl_divergence(posterior_params, PosteriorScale::log_variance,
                                   e.options.kl_weight * e.options.weight);
  }

  Variable posterior_params, weight, bias;
  Tensor x, epsilon;
};

// Compares numbers up to `tolerance` times the largest expected one.
void expect_all_near(const Numbers& got, const Numbers& expected, double tolerance, const std::string& what) {
  ASSERT_EQ(got.size(), expected.size()) << what;
  double largest = 0;
  for (double x : expected) largest = std::max(largest, std::fabs(x));
  for (std::size_t i = 0; i < got.size(); ++i)
    EXPECT_TRUE(std::fabs(got[i] - expected[i]) <= tolerance * largest)
        << what << ", number " << i << ": " << got[i] << ", expected " << expected[i];
}

Numbers joined(Numbers a, const Numbers& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

// The gradients of the model's parameters; those of q in the order of Estimator.
struct ModelGradients {
  explicit ModelGradients(const DrawnModel& m)
      : weight(m.weight.grad().to_doubles()), bias(m.bias.grad().to_doubles()) {
    const Numbers of_q = m.posterior_params.grad().to_doubles();
    mean = {of_q[0], of_q[1], of_q[4], of_q[5]};
    log_variance = {of_q[2], of_q[3], of_q[6], of_q[7]};
  }
  Numbers mean, log_variance, weight, bias;
};

// The dtypes and devices of the check: f64 on the CPU, f32 everywhere.
struct ArithmeticPlace {
  DType dtype;
  Device device;
  double tolerance() const { return dtype == DType::f64 ? 1e-9 : 1e-5; }
};
std::vector<ArithmeticPlace> arithmetic_places() {
  std::vector<ArithmeticPlace> all = {{DType::f64, Device::cpu()}};
  for (const Device device : test::devices()) all.push_back({DType::f32, device});
  return all;
}

TEST(ImportanceDevice, EstimatorsHaveTheirValuesAndGradients) {
  for (const ArithmeticPlace& place : arithmetic_places())
    for (const Estimator& e : estimators())
      for (const bool fused : {true, false}) {
        const DrawnModel model(place.dtype, place.device);
        const std::string what = fmt::format("{}, {} on {}{}", e.name, name(place.dtype), place.device.text(),
                                             fused ? "" : ", unfused");
        const Variable loss = model.estimate(e, fused);
        loss.backward();
        const ModelGradients got(model);
        expect_all_near({loss.value().item()}, {e.value}, place.tolerance(), what);
        expect_all_near(joined(got.mean, got.log_variance), joined(e.d_mean, e.d_log_variance),
                        place.tolerance(), what + ", d mean and d log variance");
        expect_all_near(got.weight, *e.d_weight, place.tolerance(), what + ", d weight");
        expect_all_near(got.bias, *e.d_bias, place.tolerance(), what + ", d bias");
      }
}

// PIWAE has the decoder's gradient of the bound of all draws, and the encoder's of the groups.
TEST(ImportanceDevice, PiwaeNeedsOnePassPerBound) {
  for (const ArithmeticPlace& place : arithmetic_places()) {
    const DrawnModel decoder(place.dtype, place.device), encoder(place.dtype, place.device);
    const Variable value =
        decoder.loss(decoder.draws(EncoderGradient::total, true), bound(4, 1, 0), false, true).loss;
    value.backward();
    encoder.loss(encoder.draws(EncoderGradient::total, true), bound(2, 2, 0), false, true).loss.backward();
    expect_all_near({value.value().item()}, {1.6544994626}, place.tolerance(), "piwae");
    expect_all_near(ModelGradients(decoder).weight, kIwaeWeight, place.tolerance(), "piwae, d weight");
    expect_all_near(ModelGradients(encoder).mean, {-0.0542508564, 0.0330847104, 0.0758445102, -0.1744790705},
                    place.tolerance(), "piwae, d mean");
  }
}

TEST(ImportanceDevice, LogWeightsBoundsAndEffectiveSamples) {
  const Numbers log_weights = {-2.1098455888, -2.0405562610, -0.7051764444, -2.2539535423,
                               -2.1647909385, -2.2887333400, -1.4475307175, -1.4415683421};
  for (const ArithmeticPlace& place : arithmetic_places()) {
    const DrawnModel model(place.dtype, place.device);
    const PosteriorDraws draws = model.draws(EncoderGradient::total, true);
    const Variable log_likelihood =
        bernoulli_log_density(matmul(draws.z, model.weight) + model.bias, model.x);
    expect_all_near((log_likelihood + draws.log_ratio).value().to_doubles(), log_weights, place.tolerance(),
                    "log w");
    const auto result = [&](const ImportanceOptions& o) { return model.loss(draws, o, false, true); };
    expect_all_near(result(bound(4, 1, 1)).bounds.to_doubles(), {-1.7773829591, -1.8356558345},
                    place.tolerance(), "ELBO");
    const ImportanceLoss iwae = result(bound(4, 1, 0));
    expect_all_near(iwae.bounds.to_doubles(), {-1.5485570462, -1.7604418790}, place.tolerance(), "IWAE-4");
    expect_all_near(result(bound(2, 2, 0)).bounds.to_doubles(),
                    {(-2.0746009185 - 1.2056329380) / 2, (-2.2248431522 - 1.4445450861) / 2},
                    place.tolerance(), "MIWAE");
    const auto effective = [](const Numbers& v) {
      return 1 / (v[0] * v[0] + v[1] * v[1] + v[2] * v[2] + v[3] * v[3]);
    };
    expect_all_near(iwae.effective_samples.to_doubles(),
                    {effective({0.1426183777, 0.1528507115, 0.5810527356, 0.1234781752}),
                     effective({0.1668527786, 0.1474028710, 0.3418500119, 0.3438943385})},
                    place.tolerance(), "effective samples");
  }
}

// ---- extreme weights ----

struct ExtremeResult {
  double bound, effective;
  Numbers gradient;
};
ExtremeResult bound_of(const Numbers& log_weights, const ArithmeticPlace& place) {
  const auto n = static_cast<std::int64_t>(log_weights.size());
  const Variable x = DrawnModel::leaf(log_weights, {n, 1}, place.dtype, place.device);
  ImportanceOptions o;
  o.samples = n;
  const ImportanceLoss loss = importance_weighted_loss(x, {}, o);
  loss.loss.backward();
  return {loss.bounds.item(), loss.effective_samples.item(), x.grad().to_doubles()};
}

TEST(ImportanceDevice, ExtremeLogWeights) {
  for (const ArithmeticPlace& place : arithmetic_places()) {
    const double relative = place.dtype == DType::f64 ? 1e-13 : 2e-7;
    const double log_sum = -998.5356312159;
    EXPECT_NEAR(bound_of({-1000, -1000.5, -999}, place).bound, log_sum - std::log(3),
                std::max(1e-9, 1000 * relative));
    EXPECT_NEAR(bound_of({-2000, -1}, place).bound, -1 - std::log(2), 2 * relative);
    const ExtremeResult one = bound_of({-kInfinity, -3, -kInfinity}, place);
    EXPECT_NEAR(one.bound, -3 - std::log(3), 8 * relative);
    EXPECT_EQ(one.effective, 1);
    EXPECT_EQ(one.gradient, (Numbers{-0.0, -1, -0.0}));
    const ExtremeResult none = bound_of({-kInfinity, -kInfinity}, place);
    EXPECT_EQ(none.bound, -kInfinity);
    EXPECT_EQ(none.gradient, (Numbers{0, 0}));
    EXPECT_TRUE(std::isnan(bound_of({1, NAN}, place).bound));
  }
}

// Draws that have weight 0 do not make the gradient of the others infinite or NaN.
TEST(ImportanceDevice, DrawsWithoutWeightAddNothing) {
  for (const Device device : test::devices())
    for (const EncoderGradient gradient :
         {EncoderGradient::total, EncoderGradient::path, EncoderGradient::doubly_reparameterized}) {
      const DrawnModel model(DType::f32, device);
      const PosteriorDraws draws = model.draws(gradient, true);
      const Tensor never =
          Tensor::from(Numbers{-kInfinity, 0, 0, 0, 0, 0, -kInfinity, 0}, {8, 1}).to(DType::f32).to(device);
      const Variable log_likelihood =
          bernoulli_log_density(matmul(draws.z, model.weight) + model.bias, model.x) + never;
      importance_weighted_loss(log_likelihood, draws.log_ratio, bound(4, 1, 0)).loss.backward();
      for (const Variable& leaf : {model.posterior_params, model.weight, model.bias})
        for (double slope : leaf.grad().to_doubles()) EXPECT_TRUE(std::isfinite(slope)) << name(gradient);
    }
}

// A KL weight of 0, as at the start of a warm-up, leaves the importance weights of DReG.
TEST(ImportanceDevice, DoublyReparameterizedWithoutKlWeight) {
  for (const Device device : test::devices()) {
    const auto gradient_at = [&](double kl_weight) {
      const DrawnModel model(DType::f32, device);
      model
          .loss(model.draws(EncoderGradient::doubly_reparameterized, true), bound(4, 1, 0, kl_weight), false,
                true)
          .loss.backward();
      return model.posterior_params.grad().to_doubles();
    };
    expect_all_near(gradient_at(0), gradient_at(1e-6), 1e-5, device.text());
  }
}

TEST(ImportanceDevice, WeightInDeviceMemory) {
  for (const Device device : test::devices()) {
    ImportanceOptions host = bound(4, 1, 0, 0.5), on_device = bound(4, 1, 0, 2);
    on_device.device_kl_weight = Tensor::full({1}, 0.25, DType::f32, device);
    const DrawnModel a(DType::f32, device), b(DType::f32, device);
    const Variable of_host = a.loss(a.draws(EncoderGradient::total, true), host, false, true).loss,
                   of_device = b.loss(b.draws(EncoderGradient::total, true), on_device, false, true).loss;
    of_host.backward();
    of_device.backward();
    EXPECT_EQ(of_host.value().item(), of_device.value().item());
    EXPECT_EQ(a.posterior_params.grad().to_vector(), b.posterior_params.grad().to_vector());
  }
}

// One draw is the draw of sample_posterior, and a draw does not depend on the number of draws.
TEST(ImportanceDevice, DrawsContinueTheNumbersOfARow) {
  for (const Device device : test::devices())
    for (const std::int64_t latent : {1, 3, 4, 50}) {
      const Tensor params = random_normal({7, 2 * latent}, {.seed = 3}, 0, 1, DType::f32, device);
      PosteriorDrawOptions o;
      o.posterior.noise = {.seed = 5, .first_sample = 2};
      o.draws = 1;
      const std::vector<float> one = sample_posterior_draws(params, o).z.value().to_vector();
      EXPECT_EQ(one, sample_posterior(params, o.posterior).value().to_vector());
      const auto draw_of = [&](std::int64_t draws, std::int64_t k) {
        o.draws = draws;
        const Tensor z = sample_posterior_draws(params, o).z.value();
        return columns(z.reshape({7, draws * latent}), k * latent, latent).value().to_vector();
      };
      EXPECT_EQ(draw_of(3, 0), one);
      EXPECT_EQ(draw_of(9, 2), draw_of(3, 2));
      EXPECT_NE(draw_of(3, 1), one);
    }
}

std::string refusal_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& e) {
    return e.what();
  }
  return "accepted";
}

TEST(Importance, RefusesInvalidArguments) {
  const Variable params = Tensor::zeros({3, 4}), rows = Tensor::zeros({6, 1});
  const auto draw = [&](const PosteriorDrawOptions& o) {
    return refusal_of([&] { static_cast<void>(sample_posterior_draws(params, o)); });
  };
  const auto combine = [&](const Variable& ratio, const ImportanceOptions& o) {
    return refusal_of([&] { static_cast<void>(importance_weighted_loss(rows, ratio, o)); });
  };
  PosteriorDrawOptions o;
  o.draws = 0;
  EXPECT_EQ(draw(o), "[sample_posterior_draws] expected 1 or more draws, got 0");
  o.draws = 2;
  o.posterior.noise_std = 0;
  EXPECT_EQ(draw(o), "[sample_posterior_draws] expected a noise_std above 0, got 0");
  o.posterior.noise_std = 1;
  o.posterior.epsilon = Tensor::zeros({3, 2});
  EXPECT_EQ(draw(o), "[sample_posterior_draws] expected epsilon of [6, 2], got [3, 2]");
  EXPECT_EQ(combine(rows, bound(4, 1, 0)),
            "[importance_weighted_loss] expected log_likelihood of [rows * 4, 1], got [6, 1]");
  EXPECT_EQ(combine(Tensor::zeros({3, 1}), bound(3, 1, 0)),
            "[importance_weighted_loss] expected log_ratio of [6, 1], got [3, 1]");
  EXPECT_EQ(combine(rows, bound(0, 1, 0)),
            "[importance_weighted_loss] expected 1 or more samples and groups, got 0 and 1");
  EXPECT_EQ(combine(rows, bound(3, 1, NAN)),
            "[importance_weighted_loss] expected an elbo_share in [0, 1], got nan");
}

}  // namespace
}  // namespace gpuvae
