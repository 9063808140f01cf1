// Matrix products below f32 precision must be requested explicitly and must be as precise as documented.
#include <gtest/gtest.h>

#include <cmath>

#include "gpuvae/error.h"
#include "gpuvae/vae.h"
#include "kernels/backend.h"
#include "tests/devices.h"

namespace gpuvae {
namespace {

using test::devices;

constexpr std::int64_t kRows = 64, kIn = 96, kOut = 80;

// Returns the largest error of y, d_x and d_weight against f64, each relative to its largest element.
double precision_error(Precision precision, Device device) {
  const auto normal = [&](Shape shape, std::uint64_t seed) {
    return random_normal(shape, {.seed = seed, .purpose = RandomPurpose::test});
  };
  const auto results = [&](Precision p, DType dtype, Device on) {
    const Variable x(normal({kRows, kIn}, 1).to(dtype).to(on), true),
        w(normal({kOut, kIn}, 2).to(dtype).to(on), true);
    const Variable y = linear(x, w, {}, Activation::identity, p);
    const autograd::Root root[] = {{sum(multiply(y, normal({kRows, kOut}, 3).to(dtype).to(on))), 1}};
    autograd::backward(root);
    return std::vector{y.value().to_doubles(), x.grad().to_doubles(), w.grad().to_doubles()};
  };
  const auto exact = results(Precision::f32, DType::f64, Device::cpu()),
             got = results(precision, DType::f32, device);
  double worst = 0;
  for (std::size_t r = 0; r < exact.size(); ++r) {
    double largest = 0, error = 0;
    for (std::size_t i = 0; i < exact[r].size(); ++i) {
      largest = std::max(largest, std::abs(exact[r][i]));
      const double d = std::abs(exact[r][i] - got[r][i]);
      error = d <= error ? error : d;  // NaN is kept
    }
    if (!(error / largest <= worst)) worst = error / largest;
  }
  return worst;
}

// Rounding a factor to b fraction bits causes a relative error of at most 2^-(b+1), so a product of two
// factors has one of about 2^-b at most. Sums of products average the errors. cuBLASLt may choose a kernel
// that is more precise than requested, so only the CPU has a minimum error.
TEST(PrecisionOnDevice, HasTheDocumentedError) {
  for (const Device device : devices()) {
    EXPECT_LT(precision_error(Precision::f32, device), 1e-6) << device.text();
    for (const auto& [precision, low, high] :
         {std::tuple{Precision::tf32, 2e-5, 1e-3}, std::tuple{Precision::bf16, 2e-4, 8e-3}}) {
      if (!device.backend().supports(precision)) continue;
      const double error = precision_error(precision, device);
      if (device.is_cpu()) {
        EXPECT_GT(error, low) << name(precision) << " on " << device.text();
      }
      EXPECT_TRUE(error < high) << error << ", " << name(precision) << " on " << device.text();
    }
  }
}

TEST(PrecisionOnDevice, IsRefusedIfTheDeviceDoesNotSupportIt) {
  VaeOptions options;
  options.precision = Precision::tf32;  // no CPU supports it
  try {
    const Vae model(options, Device::cpu());
    ADD_FAILURE() << "accepted";
  } catch (const Error& e) {
    EXPECT_EQ(std::string(e.what()),
              "[linear] expected a precision that " + Device::cpu().description() + " supports, got tf32");
  }
}

TEST(PrecisionOnDevice, AppliesToEveryLayerOfAModel) {
  for (const Device device : devices()) {
    if (!device.backend().supports(Precision::bf16)) continue;
    VaeOptions options;
    options.features = 96;
    options.encoder_widths = {80, 72};
    options.precision = Precision::bf16;
    Vae model(options, device);
    for (const Mlp* mlp : {&model.encoder(), &model.decoder()})
      for (const Linear& layer : mlp->layers) EXPECT_EQ(layer.precision, Precision::bf16);
    EXPECT_EQ(model.posterior_head().precision, Precision::bf16);
    EXPECT_EQ(model.output().precision, Precision::bf16);
  }
}

}  // namespace
}  // namespace gpuvae
