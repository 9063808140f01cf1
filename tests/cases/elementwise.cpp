// Test cases of element-wise operations with one input, and with two inputs that are broadcast.
#include <cmath>

#include "tests/cases/case.h"

namespace gpuvae::cases {
namespace {

using Function = std::function<double(double)>;

Case unary_case(const std::string& operation, const std::string& name, Input input,
                const std::function<Variable(const Variable&)>& run, const Function& f) {
  Case c{.operation = operation, .name = operation + "/" + name, .inputs = {input}};
  c.run = [run](auto in) { return Variables{run(in[0])}; };
  c.reference = [f](auto in) {
    Doubles y;
    for (double x : in[0]) y.push_back(f(x));
    return std::vector<Doubles>{y};
  };
  c.bytes = 20.0 * static_cast<double>(input.shape.elements());
  return c;
}

// Computes digamma. The recurrence digamma(x) = digamma(x + 1) - 1 / x raises x to at least 40, where the
// asymptotic series is used.
double digamma_reference(double at) {
  long double x = at, sum = 0;
  for (; x < 40; ++x) sum -= 1 / x;
  const long double z = 1 / (x * x);
  return double(sum + std::log(x) - 0.5L / x - z * (1.L / 12 - z * (1.L / 120 - z * (1.L / 252 - z / 240))));
}

// Covers each branch of kernels/math/gamma.h: the argument reduction, the roots of lgamma and digamma, the
// smallest arguments of Stirling's series, and large arguments.
void add_gamma(std::vector<Case>& cases, const Shape& s) {
  const auto log_gamma = [](double x) { return double(std::lgamma(static_cast<long double>(x))); };
  for (const Input& range : {Input{s, 0.05, 0.8}, Input{s, 0.8, 2.8}, Input{s, 2, 12}, Input{s, 5, 1e5}}) {
    const std::string name = s.text() + "_from_" + std::to_string(range.low);
    cases.push_back(unary_case("lgamma", name, range, lgamma, log_gamma));
    cases.push_back(unary_case("digamma", name, range, digamma, digamma_reference));
  }
}

void add_unary(std::vector<Case>& cases) {
  // The sizes include some that are not multiples of the SIMD width and one that needs several threads and
  // thread blocks.
  for (const Shape& s : {Shape{1}, Shape{31}, Shape{33, 3}, Shape{100, 784}}) {
    const std::string n = s.text();
    const Input any{s, -4, 4, 0.01}, positive{s, 0.1, 5};
    cases.push_back(unary_case(
        "exp", n, any, [](auto& x) { return exp(x); }, [](double x) { return std::exp(x); }));
    cases.push_back(unary_case(
        "log", n, positive, [](auto& x) { return log(x); }, [](double x) { return std::log(x); }));
    cases.push_back(unary_case(
        "sqrt", n, positive, [](auto& x) { return sqrt(x); }, [](double x) { return std::sqrt(x); }));
    cases.push_back(unary_case(
        "square", n, any, [](auto& x) { return square(x); }, [](double x) { return x * x; }));
    cases.push_back(unary_case(
        "reciprocal", n, positive, [](auto& x) { return reciprocal(x); }, [](double x) { return 1 / x; }));
    cases.push_back(unary_case(
        "affine", n, any, [](auto& x) { return affine(x, -2.5, 0.75); },
        [](double x) { return -2.5 * x + 0.75; }));
    cases.push_back(unary_case(
        "clamp", n, any, [](auto& x) { return clamp(x, -1.5, 2.25); },
        [](double x) { return std::min(std::max(x, -1.5), 2.25); }));
    cases.push_back(unary_case(
        "abs", n, any, [](auto& x) { return abs(x); }, [](double x) { return std::fabs(x); }));
    cases.push_back(unary_case(
        "log1p", n, {s, -0.9, 5}, [](auto& x) { return log1p(x); }, [](double x) { return std::log1p(x); }));
    cases.push_back(unary_case(
        "fill_missing", n, any, [](auto& x) { return fill_missing(x); }, [](double x) { return x; }));
    cases.push_back(unary_case(
        "is_observed", n, any, [](auto& x) { return is_observed(x); }, [](double) { return 1.0; }));
    add_gamma(cases, s);
    // The functions use a power series for |x| < 1. The ranges include both sides of this limit, numbers far
    // beyond it, and numbers close to 0.
    const Input logits{s, -4, 4}, far{s, -150, 150}, near{s, -0.01, 0.01};
    for (const Input& l : {logits, far, near}) {
      const std::string range = n + (l.high > 4 ? "_far" : l.high < 4 ? "_near" : "");
      cases.push_back(unary_case("continuous_bernoulli_log_normalizer", range, l,
                                 continuous_bernoulli_log_normalizer,
                                 [](double x) { return double(std::log(std::expm1((long double)x) / x)); }));
      cases.push_back(
          unary_case("continuous_bernoulli_mean", range, l, continuous_bernoulli_mean,
                     [](double x) { return double(-1 / std::expm1(-(long double)x) - 1 / (long double)x); }));
    }
    for (const Activation a : all_activations())
      cases.push_back(unary_case(
          "activate", std::string(name(a)) + n, any, [a](auto& x) { return activate(x, a); },
          [a](double x) { return activated(a, x); }));
  }
}

Case binary_case(const std::string& operation, const std::string& name, Shape a, Shape b,
                 const std::function<Variable(const Variable&, const Variable&)>& run,
                 const std::function<double(double, double)>& f) {
  Case c{.operation = operation, .name = operation + "/" + name, .inputs = {{a, -3, 3}, {b, 0.5, 2}}};
  c.run = [run](auto in) { return Variables{run(in[0], in[1])}; };
  const Shape out = a.elements() >= b.elements() ? a : b;
  const auto at = [out](const Shape& s, const Doubles& v, std::int64_t i) {
    if (s.elements() == 1) return v[0];
    if (s == out) return v[i];
    return s.columns() == 1 && s.rows() == out.rows() && s.rank() == 2 ? v[i / out.columns()]
                                                                       : v[i % out.columns()];
  };
  c.reference = [=](auto in) {
    Doubles y;
    for (std::int64_t i = 0; i < out.elements(); ++i) y.push_back(f(at(a, in[0], i), at(b, in[1], i)));
    return std::vector<Doubles>{y};
  };
  return c;
}

void add_binary(std::vector<Case>& cases) {
  struct Pair {
    const char* name;
    Shape a, b;
  };
  for (const Pair& p :
       {Pair{"same", {33, 17}, {33, 17}}, Pair{"row", {33, 17}, {17}}, Pair{"row_left", {1, 17}, {33, 17}},
        Pair{"column", {33, 17}, {33, 1}}, Pair{"scalar", {33, 17}, {1}}, Pair{"one", {1}, {1}},
        Pair{"large", {1000, 131}, {131}}, Pair{"many_rows", {70000, 3}, {3}}}) {
    cases.push_back(binary_case("add", p.name, p.a, p.b, add, [](double x, double y) { return x + y; }));
    cases.push_back(
        binary_case("subtract", p.name, p.a, p.b, subtract, [](double x, double y) { return x - y; }));
    cases.push_back(
        binary_case("multiply", p.name, p.a, p.b, multiply, [](double x, double y) { return x * y; }));
    cases.push_back(
        binary_case("divide", p.name, p.a, p.b, divide, [](double x, double y) { return x / y; }));
  }
}

}  // namespace

std::vector<Case> elementwise_cases() {
  std::vector<Case> cases;
  add_unary(cases);
  add_binary(cases);
  return cases;
}

}  // namespace gpuvae::cases
