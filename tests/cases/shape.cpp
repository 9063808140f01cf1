#include "tests/cases/case.h"

namespace gpuvae::cases {
namespace {

// The reference computes out[key(i)] += x[i].
void add_sums(std::vector<Case>& cases, Shape s, Axis axis, std::size_t outputs,
              const std::function<std::size_t(std::size_t)>& key) {
  const std::string suffix = s.text() + "_" + std::string(name(axis));
  const auto reference = [=](double scale) {
    return [=](std::span<const Doubles> in) {
      Doubles y(outputs, 0.0);
      for (std::size_t i = 0; i < in[0].size(); ++i) y[key(i)] += scale * in[0][i];
      return std::vector<Doubles>{y};
    };
  };
  Case total{.operation = "sum", .name = "sum/" + suffix, .inputs = {{s}}};
  total.run = [axis](auto in) { return Variables{sum(in[0], axis)}; };
  total.reference = reference(1);
  cases.push_back(total);
  Case average{.operation = "mean", .name = "mean/" + suffix, .inputs = {{s}}};
  average.run = [axis](auto in) { return Variables{mean(in[0], axis)}; };
  average.reference = reference(static_cast<double>(outputs) / static_cast<double>(s.elements()));
  cases.push_back(average);
}

Case transpose_case(Shape s) {
  Case c{.operation = "transpose", .name = "transpose/" + s.text(), .inputs = {{s}}};
  c.run = [](auto in) { return Variables{transpose(in[0])}; };
  c.reference = [=](auto in) {
    Doubles y;
    for (std::int64_t column = 0; column < s[1]; ++column)
      for (std::int64_t row = 0; row < s[0]; ++row) y.push_back(in[0][row * s[1] + column]);
    return std::vector<Doubles>{y};
  };
  return c;
}

// Concatenates three inputs, of which the first appears twice, so that its gradient is the sum of two parts.
Case concat_case(Axis axis, const std::vector<Shape>& parts) {
  Case c{.operation = "concat", .name = "concat/" + std::string(name(axis)) + parts[0].text()};
  for (const Shape& s : parts) c.inputs.push_back({s});
  c.run = [axis](auto in) { return Variables{concat({in[0], in[1], in[0], in[2]}, axis)}; };
  c.reference = [=](auto in) {
    Doubles y;
    const std::int64_t rows = axis == Axis::rows ? 1 : parts[0].rows();
    for (std::int64_t row = 0; row < rows; ++row)
      for (const std::size_t part : {0, 1, 0, 2}) {
        const std::int64_t width = parts[part].elements() / rows;
        for (std::int64_t i = 0; i < width; ++i) y.push_back(in[part][row * width + i]);
      }
    return std::vector<Doubles>{y};
  };
  return c;
}

Case columns_case(Shape s, std::int64_t first, std::int64_t count) {
  Case c{
      .operation = "columns", .name = "columns/" + s.text() + "_" + std::to_string(first), .inputs = {{s}}};
  c.run = [=](auto in) { return Variables{columns(in[0], first, count)}; };
  c.reference = [=](auto in) {
    Doubles y;
    for (std::int64_t i = 0; i < s.elements(); ++i)
      if (i % s.columns() >= first && i % s.columns() < first + count) y.push_back(in[0][i]);
    return std::vector<Doubles>{y};
  };
  return c;
}

}  // namespace

std::vector<Case> shape_cases() {
  std::vector<Case> cases;
  for (const Shape& s : {Shape{1, 1}, Shape{3, 17}, Shape{100, 784}, Shape{70000, 3}, Shape{2, 1000},
                         Shape{3000, 8}, Shape{5, 1537}}) {
    const auto width = static_cast<std::size_t>(s.columns());
    add_sums(cases, s, Axis::all, 1, [](std::size_t) { return 0; });
    add_sums(cases, s, Axis::rows, width, [=](std::size_t i) { return i % width; });
    add_sums(cases, s, Axis::columns, static_cast<std::size_t>(s.rows()),
             [=](std::size_t i) { return i / width; });
  }
  Case reshaped{.operation = "reshape", .name = "reshape/6x4", .inputs = {{{6, 4}}}};
  reshaped.run = [](auto in) { return Variables{reshape(in[0], {3, 2, 4})}; };
  reshaped.reference = [](auto in) { return std::vector<Doubles>{in[0]}; };
  cases.push_back(reshaped);
  for (const Shape& s :
       {Shape{1, 1}, Shape{3, 17}, Shape{32, 64}, Shape{100, 784}, Shape{70000, 3}, Shape{1, 1000}})
    cases.push_back(transpose_case(s));
  cases.push_back(concat_case(Axis::rows, {{33, 17}, {1, 17}, {17}}));
  cases.push_back(concat_case(Axis::columns, {{33, 17}, {33, 1}, {33, 4}}));
  cases.push_back(concat_case(Axis::columns, {{1000, 131}, {1000, 31}, {1000, 3}}));
  cases.push_back(columns_case({33, 17}, 0, 5));
  cases.push_back(columns_case({33, 17}, 12, 5));
  cases.push_back(columns_case({100, 1568}, 784, 784));
  cases.push_back(columns_case({70000, 4}, 2, 2));
  return cases;
}

}  // namespace gpuvae::cases
