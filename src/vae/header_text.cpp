#include "src/vae/header_text.h"

#include <cstdlib>

#include "kernels/check.h"

namespace gpuvae {
namespace {

// A whole number such as "3" or "-0" needs a point to be a floating-point literal in C.
std::string with_point(std::string digits) {
  if (digits.find_first_of(".e") == std::string::npos) digits += ".0";
  return digits;
}

template <class T>
std::string array_text(std::string_view declaration, std::span<const T> values) {
  constexpr std::size_t kColumns = 108;
  std::string text = fmt::format("{}[{}] = {{", declaration, values.size());
  std::size_t line = kColumns;
  for (const T value : values) {
    const std::string literal = c_literal(value);
    if (line + literal.size() + 2 > kColumns) {
      text += "\n ";
      line = 1;
    }
    text += fmt::format(" {},", literal);
    line += literal.size() + 2;
  }
  return text + "\n};\n";
}

}  // namespace

std::string c_literal(float value) {
  const std::string shortest = fmt::format("{}", value);
  // Two roundings may end at a neighbour of `value`. The exact value as a double is safe.
  const bool exact = static_cast<float>(std::strtod(shortest.c_str(), nullptr)) == value;
  return with_point(exact ? shortest : fmt::format("{}", static_cast<double>(value))) + "f";
}

std::string c_literal(double value) { return with_point(fmt::format("{}", value)); }

std::string c_array(std::string_view declaration, std::span<const float> values) {
  return array_text(declaration, values);
}
std::string c_array(std::string_view declaration, std::span<const double> values) {
  return array_text(declaration, values);
}

std::string c_body(kernels::Unary function) {
  using kernels::Unary;
  constexpr const char* kSigmoid =
      "  const float e = expf(-fabsf(x));\n"
      "  return {}(x >= 0.0f ? 1.0f : e) / (1.0f + e);\n";
  switch (function) {
    case Unary::relu:
      return "  return x <= 0.0f ? 0.0f : x;\n";
    case Unary::leaky_relu:
      return fmt::format("  return x > 0.0f ? x : {} * x;\n", c_literal(kLeakySlope));
    case Unary::sigmoid:
      return fmt::format(fmt::runtime(kSigmoid), "");
    case Unary::tanh:
      return "  return tanhf(x);\n";
    case Unary::softplus:
      return "  return fmaxf(x, 0.0f) + log1pf(expf(-fabsf(x)));\n";
    case Unary::gelu:
      return "  return x * (0.5f * erfcf(-0.70710678118654752f * x));\n";
    case Unary::silu:
      return fmt::format(fmt::runtime(kSigmoid), "x * ");
    case Unary::continuous_bernoulli_mean:
      // The series of the mean has as many terms as a float needs.
      return "  const float a = fabsf(x), z = x * x;\n"
             "  float e, q;\n"
             "  if (a < 1.0f)\n"
             "    return 0.5f + x * (1.0f / 12 + z * (-1.0f / 720 + z * (1.0f / 30240 +\n"
             "                  z * (-1.0f / 1209600 + z * (1.0f / 47900160)))));\n"
             "  e = expf(-a);\n"
             "  q = 1.0f / (1.0f - e);\n"
             "  return x > 0.0f ? q - 1.0f / a : 1.0f / a - e * q;\n";
    default:
      fail(unsupported("export_header"), "expected a function with a C formula, got {}",
           kernels::name(function));
  }
}

}  // namespace gpuvae
