// Test cases of random_normal and random_uniform.
#include "tests/cases/case.h"
#include "tests/cases/reference_random.h"

namespace gpuvae::cases {
namespace {

// Random operations have no input. The input of these cases has one element and only selects the device and
// the data type.
Case random_case(bool normal, std::int64_t rows, std::int64_t width) {
  Case c{.operation = normal ? "random_normal" : "random_uniform"};
  c.name = c.operation + "/" + Shape{rows, width}.text();
  c.inputs = {{{1}, 0, 1, 0, false}};
  Noise noise{.seed = 0xfedcba9876543210ull, .purpose = RandomPurpose::test};
  noise.clock = {.step = 77, .steps_per_epoch = 10};
  noise.first_sample = 3;
  c.run = [=](auto v) {
    return Variables{(normal ? random_normal : random_uniform)({rows, width}, noise, -0.25, 1.5, v[0].dtype(),
                                                               v[0].device())};
  };
  c.reference = [=](auto) {
    Doubles y;
    for (std::int64_t r = 0; r < rows; ++r)
      for (std::int64_t i = 0; i < width; ++i) {
        const auto sample = static_cast<std::uint32_t>(r + 3), dimension = static_cast<std::uint32_t>(i);
        const double u =
            reference_uniform(reference_words(noise.seed, noise.purpose, 7, sample, dimension)[i % 4]);
        y.push_back(normal ? -0.25 + 1.5 * reference_normal(noise.seed, noise.purpose, 7, sample, dimension)
                           : -0.25 + 1.75 * u);
      }
    return std::vector<Doubles>{y};
  };
  return c;
}

}  // namespace

std::vector<Case> random_cases() {
  std::vector<Case> cases;
  for (bool normal : {false, true}) {
    cases.push_back(random_case(normal, 1, 1));
    cases.push_back(random_case(normal, 33, 17));
    cases.push_back(random_case(normal, 100, 784));
    cases.push_back(random_case(normal, 70000, 2));
  }
  return cases;
}

}  // namespace gpuvae::cases
