// Values and gradients of gated layers, flows, the Gaussian with a full covariance matrix, and mixtures.
#include <gtest/gtest.h>

#include <cmath>

#include "gpuvae/vae.h"
#include "src/nn/made.h"

namespace gpuvae {
namespace {

using Numbers = std::vector<double>;

Variable input_leaf(const Numbers& values, Shape shape, DType dtype) {
  return Variable(Tensor::from(values, shape).to(dtype), true);
}

void expect_numbers(const Tensor& got, const Numbers& expected, const char* what) {
  const Numbers values = got.to_doubles();
  ASSERT_EQ(values.size(), expected.size()) << what;
  double largest = 0;
  for (const double v : expected) largest = std::max(largest, std::fabs(v));
  const double tolerance = (got.dtype() == DType::f64 ? 1e-9 : 1e-5) * largest;
  for (std::size_t i = 0; i < values.size(); ++i)
    EXPECT_TRUE(std::fabs(values[i] - expected[i]) <= tolerance)
        << what << ", element " << i << ": " << values[i] << ", expected " << expected[i];
}

// The expected numbers below were computed by an independent implementation in double precision.

TEST(ModelValues, GatedLayer) {
  for (const DType dtype : {DType::f64, DType::f32}) {
    const Variable x = input_leaf({.5, -1, 2}, {1, 3}, dtype);
    const Variable weight = input_leaf({.2, -.4, .1, .7, .3, -.6, -.3, .5, .2, .1, -.8, .4}, {4, 3}, dtype);
    const Variable bias = input_leaf({.1, -.2, 0, .3}, {4}, dtype);
    const Variable y = gated_linear(x, weight, bias);
    expect_numbers(y.value(), {0.3502587993, -1.1818529664}, "y");
    (sum(columns(y, 0, 1)) - 2 * sum(columns(y, 1, 1))).backward();
    expect_numbers(x.grad(), {-1.1676920274, -0.8374697610, 1.2514627780}, "dx");
    expect_numbers(bias.grad(), {0.4378234991, -1.7508932836, 0.1969072662, 0.2944075117}, "db");
  }
}

TEST(ModelValues, PlanarFlow) {
  for (const DType dtype : {DType::f64, DType::f32}) {
    const Variable z = input_leaf({.3, -.8, .5}, {1, 3}, dtype);
    const Variable params =
        input_leaf({.7, -.4, .2, .5, .8, -1, .1, -.3, .9, .6, -1.5, -1.2, .4, -.2}, {1, 14}, dtype);
    const FlowSample flow = planar_flow(z, params);
    expect_numbers(flow.z.value(), {1.3084364867, 0.4926779745, -0.3634359056}, "z");
    expect_numbers(flow.log_det.value(), {-0.6699295226}, "log det");
    const Variable f = 0.5 * sum(square(flow.z)) - sum(flow.log_det);
    expect_numbers(f.value(), {1.7133411645}, "f");
    f.backward();
    expect_numbers(z.grad(), {1.8751778929, -0.7607666231, -1.0764202511}, "dz");
    expect_numbers(params.grad(),
                   {-0.2489237204, -1.1317497971, 1.4581641482, 0.3783383242, -0.0225672962, -0.8964001730,
                    0.2628115418, 0.1283534595, 0.8597656625, 0.0170958008, -0.6028657420, -0.6871486859,
                    -0.0672477703, -1.2759110899},
                   "dw, du and db of both layers");
  }
}

// Returns round(sin(phase + 1.7 i + .9 j), 2) as [columns, rows]: weights are stored [out, in].
Numbers weights(double phase, int rows, int columns) {
  Numbers values;
  for (int j = 0; j < columns; ++j)
    for (int i = 0; i < rows; ++i)
      values.push_back(std::round(100 * std::sin(phase + 1.7 * i + .9 * j)) / 100);
  return values;
}

struct AutoregressiveExample {
  Variable z, input, output, bias, context;
  explicit AutoregressiveExample(DType dtype)
      : z(input_leaf({.3, -.8, .5}, {1, 3}, dtype)), input(input_leaf(weights(.3, 3, 4), {4, 3}, dtype)) {
    Numbers both = weights(2.2, 4, 3);
    const Numbers of_s = weights(.7, 4, 3);
    both.insert(both.end(), of_s.begin(), of_s.end());
    output = input_leaf(both, {6, 4}, dtype);
    bias = input_leaf({.05, -.1, .2, .3, -.4, .1}, {6}, dtype);
    const Variable h = input_leaf({.6, -.9}, {1, 2}, dtype);
    context =
        linear(h, input_leaf(weights(1.1, 2, 4), {4, 2}, dtype), input_leaf({.1, -.2, .3, 0}, {4}, dtype));
  }
  FlowSample run(bool reversed) const {
    return autoregressive_step(z, Made(input, output, bias, reversed)(z, context));
  }
};

TEST(ModelValues, InverseAutoregressiveFlow) {
  for (const DType dtype : {DType::f64, DType::f32}) {
    const AutoregressiveExample at(dtype);
    const FlowSample flow = at.run(false);
    expect_numbers(flow.z.value(), {0.2772192597, -0.3963880780, 0.5754542278}, "z");
    expect_numbers(flow.log_det.value(), {-0.6908262195}, "log det");
    const Variable f = 0.5 * sum(square(flow.z)) - sum(flow.log_det);
    expect_numbers(f.value(), {0.9733870168}, "f");
    f.backward();
    expect_numbers(at.z.grad(), {0.4966505138, -0.0969778761, 0.5102074069}, "dz");
    expect_numbers(transpose(at.input.grad()).value(),
                   {-0.1275862407, 0.0288750771, 0.1048144555, -0.0379335218, 0, -0.0770002056, 0,
                    0.1011560582, 0, 0, 0, 0},
                   "dA");
    const Variable of_s = columns(transpose(at.output.grad()), 3, 3);
    expect_numbers(of_s.value(),
                   {0, -0.1189523792, -0.0648529605, 0, 0, -0.1382112273, 0, -0.4437731619, -0.2419455880, 0,
                    0, -0.1693467236},
                   "d of the weight of s");
  }
}

TEST(ModelValues, InverseAutoregressiveFlowInReversedOrder) {
  for (const DType dtype : {DType::f64, DType::f32}) {
    const AutoregressiveExample at(dtype);
    const FlowSample flow = at.run(true);
    expect_numbers(flow.z.value(), {0.3148621428, -0.5015569609, 0.4672709536}, "z");
    expect_numbers(flow.log_det.value(), {-0.7923722204}, "log det");
    (0.5 * sum(square(flow.z)) - sum(flow.log_det)).backward();
    expect_numbers(at.z.grad(), {0.2370386583, -0.5738527154, 0.5954485270}, "dz");
  }
}

const Numbers kCovarianceParams = {.3, -.5, .2, -.3, .1, -.6, .4, -.7, .25};
const Numbers kCovarianceNoise = {.9, -1.1, .4};

TEST(ModelValues, FullCovariance) {
  for (const DType dtype : {DType::f64, DType::f32}) {
    const Variable params = input_leaf(kCovarianceParams, {1, 9}, dtype);
    const Tensor epsilon = Tensor::from(kCovarianceNoise, {1, 3}).to(dtype);
    const DensitySample sample = sample_full_covariance(params, {}, epsilon);
    expect_numbers(sample.z.value(), {0.9667363986, -1.3556880099, -0.4854753456}, "z");
    expect_numbers(sample.log_density.value(), {-3.0468155996}, "log q");
    (0.5 * sum(square(sample.z)) + sum(sample.log_density)).backward();
    expect_numbers(params.grad(),
                   {0.9667363986, -1.3556880099, -0.4854753456, -0.3554416552, 0.6480936588, -1.1065738075,
                    -1.2201192089, -0.4369278110, 0.5340228801},
                   "d(|z|^2 / 2 + log q)");
    const Variable again = input_leaf(kCovarianceParams, {1, 9}, dtype);
    const PosteriorSample with_kl = sample_full_covariance_with_kl(again, {}, epsilon);
    expect_numbers(with_kl.kl.value(), {0.8819543031}, "KL");
    with_kl.kl.backward();
    expect_numbers(again.grad(),
                   {0.3, -0.5, 0.2, -0.4511883639, 0.2214027582, -0.6988057881, 0.4, -0.7, 0.25}, "dKL");
  }
}

const Numbers kComponentMeans = {.3, -.2, -.5, .4, 1.1, .8};
const Numbers kCodes = {.2, .1, -.9, 1.3};

TEST(ModelValues, MixtureOfPosteriors) {
  for (const DType dtype : {DType::f64, DType::f32}) {
    const Variable z = input_leaf(kCodes, {2, 2}, dtype);
    const Variable params = input_leaf({.3, -.2, -.4, .2, -.5, .4, .1, -.6, 1.1, .8, -1, -.3}, {3, 4}, dtype);
    const Variable density = mixture_log_density(z, params, PosteriorScale::log_variance, {});
    expect_numbers(density.value(), {-2.0352402320, -3.2534651837}, "log p");
    sum(density).backward();
    expect_numbers(z.grad(), {0.2749444513, 0.2805179449, 0.7057385360, -1.5455970586}, "dz");
    expect_numbers(params.grad(),
                   {-0.4334422129, 0.3588598203, -0.0929929853, -0.1119571801, -0.0399986324, 1.0752905943,
                    -0.4423473434, 0.0256902810, -0.5072421420, -0.1690713009, 0.1594280767, -0.0346645265},
                   "d mean and d log variance");
  }
}

// Exemplars have one log variance, and row n may leave out exemplar n.
TEST(ModelValues, Exemplars) {
  for (const DType dtype : {DType::f64, DType::f32})
    for (const bool leaves_out : {false, true}) {
      const Variable z = input_leaf(kCodes, {2, 2}, dtype),
                     means = input_leaf(kComponentMeans, {3, 2}, dtype);
      const Variable log_variance = input_leaf({-.7}, {1}, dtype);
      const Variable spread = Tensor::zeros({3, 2}, dtype) + log_variance;
      const std::int32_t numbers[] = {0, 1};
      const Tensor left_out =
          leaves_out ? Tensor::from(std::span<const std::int32_t>(numbers), {2}) : Tensor();
      const Variable density = mixture_log_density(z, concat({means, spread}, Axis::columns),
                                                   PosteriorScale::log_variance, {}, left_out);
      sum(density).backward();
      if (!leaves_out) {
        expect_numbers(density.value(), {-1.6872173774, -3.1165381195}, "log p");
        expect_numbers(log_variance.grad(), {-0.3075315119}, "d log s^2");
        continue;
      }
      expect_numbers(density.value(), {-2.0200367022, -5.0959507833}, "log p, one left out");
      expect_numbers(z.grad(), {-0.3582750323, 0.8669637780, 3.0007443610, -2.2903276712}, "dz");
      expect_numbers(means.grad(),
                     {-1.5401415809, 1.9251769762, 0.9496604552, -0.4069973379, -2.0519882030, -0.0948157450},
                     "d mean");
      expect_numbers(log_variance.grad(), {2.7404005888}, "d log s^2");
    }
}

TEST(ModelValues, LeavingOutComponentsHasConditions) {
  const Variable z = input_leaf(kCodes, {2, 2}, DType::f64);
  const std::int32_t numbers[] = {0, 1, 0};
  const auto left_out = [&](std::int64_t n) {
    return Tensor::from(std::span<const std::int32_t>(numbers).first(static_cast<std::size_t>(n)), {n});
  };
  const auto density = [&](std::int64_t components, const Variable& weights, const Tensor& left) {
    return mixture_log_density(z, Tensor::zeros({components, 4}, DType::f64), PosteriorScale::log_sigma,
                               weights, left);
  };
  EXPECT_THROW(static_cast<void>(density(3, {}, left_out(3))), Error);
  EXPECT_THROW(static_cast<void>(density(1, {}, left_out(2))), Error);
  EXPECT_THROW(static_cast<void>(density(3, Tensor::zeros({3}, DType::f64), left_out(2))), Error);
  EXPECT_THROW(static_cast<void>(density(3, {}, Tensor::zeros({2}, DType::f64))), Error);
}

TEST(ModelValues, ALayerWithZeroWeightsDoesNotMoveZ) {
  const Variable z = input_leaf({.3, -.8}, {1, 2}, DType::f64),
                 params = input_leaf({0, 0, .5, .4, .7}, {1, 5}, DType::f64);
  const FlowSample flow = planar_flow(z, params);
  const double t = std::tanh(0.7);
  expect_numbers(flow.z.value(), {.3 + .5 * t, -.8 + .4 * t}, "z");
  EXPECT_EQ(flow.log_det.value().item(), 0);
  (sum(flow.z) + sum(flow.log_det)).backward();
  for (const double g : params.grad().to_doubles()) EXPECT_TRUE(std::isfinite(g));
}

}  // namespace
}  // namespace gpuvae
