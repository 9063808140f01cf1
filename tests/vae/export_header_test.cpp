// Exported headers: what is refused, and that literals have the bits of the weights. exported_test.c and
// exported_test.cu run the functions.
#include "gpuvae/export_header.h"

#include <gtest/gtest.h>

#include <bit>
#include <cfloat>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "src/vae/header_text.h"
#include "tests/error_message.h"

namespace gpuvae {
namespace {

using test::message_of;

VaeOptions small_model() {
  VaeOptions o;
  o.features = 3;
  o.encoder_widths = {4};
  return o;
}

std::string message_for(const VaeOptions& o, const HeaderOptions& options = {}) {
  return message_of([&] { return export_header(Vae(o, Device::cpu()), options); });
}

// A compiler reads a literal with an f directly as float, or as double and then as float.
TEST(ExportHeader, LiteralsHaveTheBitsOfTheWeights) {
  std::uint32_t bits = 1;
  for (int i = 0; i < 200000; ++i) {
    bits = bits * 1664525u + 1013904223u;
    const auto value = std::bit_cast<float>(bits);
    if (!std::isfinite(value)) continue;
    const std::string text = c_literal(value);
    ASSERT_EQ(text.back(), 'f');
    ASSERT_NE(text.find_first_of(".e"), std::string::npos) << text;
    const std::string digits = text.substr(0, text.size() - 1);
    const float once = std::strtof(digits.c_str(), nullptr);
    const auto twice = static_cast<float>(std::strtod(digits.c_str(), nullptr));
    ASSERT_EQ(std::bit_cast<std::uint32_t>(once), std::bit_cast<std::uint32_t>(value)) << text;
    ASSERT_EQ(std::bit_cast<std::uint32_t>(twice), std::bit_cast<std::uint32_t>(value)) << text;
  }
  EXPECT_EQ(c_literal(1.0f), "1.0f");
  EXPECT_EQ(c_literal(-0.0f), "-0.0f");
  EXPECT_EQ(c_literal(0.1f), "0.1f");
  EXPECT_EQ(std::strtof(c_literal(FLT_TRUE_MIN).c_str(), nullptr), FLT_TRUE_MIN);
  EXPECT_EQ(std::strtof(c_literal(FLT_MAX).c_str(), nullptr), FLT_MAX);
  EXPECT_EQ(std::strtod(c_literal(1.7e9 + 1e-7).c_str(), nullptr), 1.7e9 + 1e-7);
}

TEST(ExportHeader, ArraysKeepOrderAndStayInTheLine) {
  const std::vector<float> values = {1, -2.5f, 3e-20f};
  EXPECT_EQ(c_array("static const float a", std::span<const float>(values)),
            "static const float a[3] = {\n  1.0f, -2.5f, 3e-20f,\n};\n");
  const std::vector<double> many(100, -1.2345678901234567e-100);
  const std::string text = c_array("a", std::span<const double>(many));
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    EXPECT_LE(end - at, 110u);
    at = end + 1;
  }
}

TEST(ExportHeader, DependsOnTheModelAlone) {
  const Vae model(small_model(), Device::cpu());
  EXPECT_EQ(export_header(model), export_header(model));
  const std::string text = export_header(model, {.name = "Digits_2", .format = HeaderFormat::c});
  EXPECT_NE(text.find("static inline"), std::string::npos);
  EXPECT_NE(text.find("Digits_2_FUNCTION void Digits_2_decode(const float* z, float* mean) {"),
            std::string::npos);
  EXPECT_EQ(text.find("__device__"), std::string::npos);
}

// Constant memory has room for small models only.
TEST(ExportHeader, LargeModelsAreInGlobalMemory) {
  VaeOptions o = small_model();
  EXPECT_NE(export_header(Vae(o, Device::cpu())).find("static __constant__ const"), std::string::npos);
  o.encoder_widths = {2000};
  EXPECT_EQ(export_header(Vae(o, Device::cpu())).find("static __constant__ const"), std::string::npos);
}

TEST(ExportHeader, CommentsCannotEndEarly) {
  HeaderOptions options;
  options.comment = "end */ int x;\n\n/* two\r\tlines";
  const std::string text = export_header(Vae(small_model(), Device::cpu()), options);
  const std::size_t end = text.find("*/");
  EXPECT_NE(text.substr(0, end).find(" * end  / int x;\n *\n * /  two  lines\n "), std::string::npos)
      << text.substr(0, end);
  EXPECT_EQ(text.substr(end, 12), "*/\n#ifndef G");
}

class CustomLikelihood : public Likelihood {
 public:
  std::string name() const override { return "my likelihood"; }
  Variable log_density(const Variable& params, const Variable&) const override { return params; }
  Variable mean(const Variable& params) const override { return params; }
};

class CustomPosterior : public Posterior {
 public:
  std::string name() const override { return "my flow"; }
  Variable mean(const Variable& params) const override { return columns(params, 0, 2); }
  Variable rsample(const Variable& params, const Draw&) const override { return mean(params); }
  Variable log_density(const Variable& params, const Variable&) const override { return params; }
};

TEST(ExportHeader, RefusesCustomDistributions) {
  VaeOptions o = small_model();
  o.likelihood = std::make_shared<CustomLikelihood>();
  EXPECT_EQ(message_for(o),
            "[export_header] expected a Bernoulli, continuous Bernoulli, Gaussian, Laplace or logistic "
            "likelihood, got my likelihood");
  o = small_model();
  o.posterior = std::make_shared<CustomPosterior>();
  EXPECT_EQ(message_for(o), "[export_header] expected a diagonal Gaussian posterior, got my flow");
}

TEST(ExportHeader, RefusesWeightsThatAreNotFinite) {
  for (const float bad : {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    const Vae model(small_model(), Device::cpu());
    model.output().bias.value().fill(bad);
    EXPECT_EQ(message_of([&] { return export_header(model); }),
              "[export_header] expected finite weights in the layer output, got infinity or NaN");
  }
}

TEST(ExportHeader, RefusesUnusableNames) {
  for (const char* name : {"", "2d", "_a", "a b", "a-b", "a.b", "\xc3\xa4"})
    EXPECT_EQ(
        message_for(small_model(), {.name = name}),
        std::string("[export_header] expected a name of at most 100 letters, digits and _ that begins with "
                    "a letter, got '") +
            name + "'");
}

TEST(ExportHeader, RefusesDataThatDoNotFit) {
  HeaderOptions options;
  options.data.emplace();
  options.data->height = 2;
  options.data->width = 2;
  EXPECT_EQ(message_for(small_model(), options),
            "[export_header] expected data with 3 values per row, like the model, got 4");
  options.data->height = 1;
  options.data->width = 3;
  options.data->standardization = {.mean = {1, 2}, .stddev = {1, 2, 3}};
  EXPECT_EQ(message_for(small_model(), options),
            "[export_header] expected the moments of 3 columns, got 2 means and 3 standard deviations");
  options.data->standardization = {.mean = {1, 2, NAN}, .stddev = {1, 2, 3}};
  EXPECT_EQ(message_for(small_model(), options),
            "[export_header] expected finite moments of the columns, got infinity or NaN");
  options.data->standardization = {};
  options.data->values = {.low = 1, .high = 1, .scaled = true};
  EXPECT_EQ(message_for(small_model(), options),
            "[export_header] expected a finite range of values, got 1 to 1");
}

}  // namespace
}  // namespace gpuvae
