// Test cases of softmax and log_sum_exp along each axis. Some inputs are so large that exp overflows.
#include <algorithm>
#include <cmath>

#include "tests/cases/case.h"

namespace gpuvae::cases {
namespace {

// A group is the set of elements that softmax normalises together. group_of() returns the index of the group
// that contains element i, and groups() returns the number of groups.
std::size_t group_of(const Shape& s, Axis axis, std::size_t i) {
  const auto width = static_cast<std::size_t>(s.columns());
  return axis == Axis::all ? 0 : axis == Axis::rows ? i % width : i / width;
}
std::size_t groups(const Shape& s, Axis axis) {
  return static_cast<std::size_t>(axis == Axis::all ? 1 : axis == Axis::rows ? s.columns() : s.rows());
}

Doubles log_sums(const Shape& s, Axis axis, const Doubles& x) {
  Doubles largest(groups(s, axis), -1e300), sums(groups(s, axis), 0.0);
  for (std::size_t i = 0; i < x.size(); ++i)
    largest[group_of(s, axis, i)] = std::max(largest[group_of(s, axis, i)], x[i]);
  for (std::size_t i = 0; i < x.size(); ++i)
    sums[group_of(s, axis, i)] += std::exp(x[i] - largest[group_of(s, axis, i)]);
  for (std::size_t g = 0; g < sums.size(); ++g) sums[g] = largest[g] + std::log(sums[g]);
  return sums;
}

void add_cases(std::vector<Case>& cases, const Shape& s, Axis axis, double reach) {
  const std::string suffix = s.text() + "_" + std::string(name(axis)) + (reach > 100 ? "_far" : "");
  Case sum{.operation = "log_sum_exp", .name = "log_sum_exp/" + suffix, .inputs = {{s, -reach, reach}}};
  sum.run = [axis](auto in) { return Variables{log_sum_exp(in[0], axis)}; };
  sum.reference = [=](auto in) { return std::vector<Doubles>{log_sums(s, axis, in[0])}; };
  Case soft{.operation = "softmax", .name = "softmax/" + suffix, .inputs = {{s, -reach, reach}}};
  soft.run = [axis](auto in) { return Variables{softmax(in[0], axis)}; };
  soft.reference = [=](auto in) {
    const Doubles sums = log_sums(s, axis, in[0]);
    Doubles y;
    for (std::size_t i = 0; i < in[0].size(); ++i)
      y.push_back(std::exp(in[0][i] - sums[group_of(s, axis, i)]));
    return std::vector<Doubles>{y};
  };
  cases.push_back(sum);
  cases.push_back(soft);
}

}  // namespace

std::vector<Case> softmax_cases() {
  std::vector<Case> cases;
  for (const Axis axis : {Axis::all, Axis::rows, Axis::columns}) {
    for (const Shape& s : {Shape{1, 1}, Shape{3, 17}, Shape{5, 1}, Shape{100, 784}, Shape{7, 1025}})
      add_cases(cases, s, axis, 4);
    add_cases(cases, {3, 4, 5}, axis, 4);
    add_cases(cases, {33, 31}, axis, 1e4);
  }
  add_cases(cases, {70000, 3}, Axis::columns, 4);
  add_cases(cases, {1, 30000}, Axis::columns, 4);
  return cases;
}

}  // namespace gpuvae::cases
