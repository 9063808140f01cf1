// Test cases of operators between variables, with a number on either side, and with a tensor on either side.
#include "tests/cases/case.h"

namespace gpuvae::cases {
namespace {

using Two = std::function<Variable(const Variable&, const Variable&)>;

// Combines a [33, 17] input, which has both signs, with a row [17]. This reveals a wrong broadcast, swapped
// operands and a lost sign.
Case between(const std::string& operation, const Two& run, const std::function<double(double, double)>& f) {
  Case c{
      .operation = operation, .name = operation + "/row", .inputs = {{{33, 17}, -3, 3, 0.1}, {{17}, 0.5, 2}}};
  c.run = [run](auto in) { return Variables{run(in[0], in[1])}; };
  c.reference = [f](auto in) {
    Doubles y;
    for (std::size_t i = 0; i < in[0].size(); ++i) y.push_back(f(in[0][i], in[1][i % 17]));
    return std::vector<Doubles>{y};
  };
  return c;
}

Case of_one(const std::string& operation, const std::string& name,
            const std::function<Variable(const Variable&)>& run, const std::function<double(double)>& f) {
  Case c{.operation = operation, .name = operation + "/" + name, .inputs = {{{31, 5}, 0.5, 3}}};
  c.run = [run](auto in) { return Variables{run(in[0])}; };
  c.reference = [f](auto in) {
    Doubles y;
    for (const double x : in[0]) y.push_back(f(x));
    return std::vector<Doubles>{y};
  };
  return c;
}

// The tensor is a constant and gets no gradient.
Case with_tensor(const std::string& name, const Two& run, const std::function<double(double, double)>& f) {
  Case c{.operation = "operator-",
         .name = "operator-/" + name,
         .inputs = {{{33, 17}}, {{33, 1}, 0.5, 2, 0, false}}};
  c.run = [run](auto in) { return Variables{run(in[0], in[1])}; };
  c.reference = [f](auto in) {
    Doubles y;
    for (std::size_t i = 0; i < in[0].size(); ++i) y.push_back(f(in[0][i], in[1][i / 17]));
    return std::vector<Doubles>{y};
  };
  return c;
}

}  // namespace

std::vector<Case> operator_cases() {
  using V = const Variable&;
  return {
      between(
          "operator+", [](V a, V b) { return a + b; }, [](double a, double b) { return a + b; }),
      between(
          "operator-", [](V a, V b) { return a - b; }, [](double a, double b) { return a - b; }),
      between(
          "operator*", [](V a, V b) { return a * b; }, [](double a, double b) { return a * b; }),
      between(
          "operator/", [](V a, V b) { return a / b; }, [](double a, double b) { return a / b; }),
      with_tensor(
          "tensor_right", [](V a, V b) { return a - b.value(); }, [](double a, double b) { return a - b; }),
      with_tensor(
          "tensor_left", [](V a, V b) { return b.value() - a; }, [](double a, double b) { return b - a; }),
      with_tensor(
          "two_tensors", [](V a, V b) { return a * (2 - b.value() / b.value()); },
          [](double a, double) { return a; }),
      of_one(
          "operator-", "unary", [](V x) { return -x; }, [](double x) { return -x; }),
      of_one(
          "operator+", "number_right", [](V x) { return x + 0.25; }, [](double x) { return x + 0.25; }),
      of_one(
          "operator+", "number_left", [](V x) { return 3 + x; }, [](double x) { return 3 + x; }),
      of_one(
          "operator-", "number_right", [](V x) { return x - 0.25; }, [](double x) { return x - 0.25; }),
      of_one(
          "operator-", "number_left", [](V x) { return 4 - x; }, [](double x) { return 4 - x; }),
      of_one(
          "operator*", "number_right", [](V x) { return x * -1.5; }, [](double x) { return x * -1.5; }),
      of_one(
          "operator*", "number_left", [](V x) { return 7 * x; }, [](double x) { return 7 * x; }),
      of_one(
          "operator/", "number_right", [](V x) { return x / 3; }, [](double x) { return x / 3; }),
      of_one(
          "operator/", "number_left", [](V x) { return -2.5 / x; }, [](double x) { return -2.5 / x; }),
      of_one(
          "operator/", "one_left", [](V x) { return 1 / x; }, [](double x) { return 1 / x; }),
  };
}

}  // namespace gpuvae::cases
