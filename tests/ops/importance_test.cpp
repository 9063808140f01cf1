// Compares the estimators of objectives with several draws with values that an independent implementation
// computed for the model of importance_model.h.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "gpuvae/ops.h"
#include "tests/ops/importance_model.h"

namespace gpuvae {
namespace {

using test::arithmetic_places;
using test::ArithmeticPlace;
using test::bound;
using test::DrawnModel;
using test::Estimator;
using test::expect_all_near;

using Numbers = std::vector<double>;

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

}  // namespace
}  // namespace gpuvae
