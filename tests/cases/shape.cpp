#include "tests/cases/case.h"

namespace gpuvae::cases {
namespace {

// out[key(i)] += x[i]
Case sum_case(const std::string& operation, Shape s, Variable (*run)(const Variable&), std::size_t outputs,
              const std::function<std::size_t(std::size_t)>& key) {
  Case c{.operation = operation, .name = operation + "/" + s.text(), .inputs = {{s}}};
  c.run = [run](auto in) { return Variables{run(in[0])}; };
  c.reference = [=](auto in) {
    Doubles y(outputs, 0.0);
    for (std::size_t i = 0; i < in[0].size(); ++i) y[key(i)] += in[0][i];
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
    cases.push_back(sum_case("sum", s, sum, 1, [](std::size_t) { return 0; }));
    cases.push_back(sum_case("sum_rows", s, sum_rows, width, [=](std::size_t i) { return i % width; }));
    cases.push_back(sum_case("sum_columns", s, sum_columns, static_cast<std::size_t>(s.rows()),
                             [=](std::size_t i) { return i / width; }));
  }
  Case reshaped{.operation = "reshape", .name = "reshape/6x4", .inputs = {{{6, 4}}}};
  reshaped.run = [](auto in) { return Variables{reshape(in[0], {3, 2, 4})}; };
  reshaped.reference = [](auto in) { return std::vector<Doubles>{in[0]}; };
  cases.push_back(reshaped);
  cases.push_back(columns_case({33, 17}, 0, 5));
  cases.push_back(columns_case({33, 17}, 12, 5));
  cases.push_back(columns_case({100, 1568}, 784, 784));
  cases.push_back(columns_case({70000, 4}, 2, 2));
  return cases;
}

}  // namespace gpuvae::cases
