// Reports the running test to the emulated device, for PTX_COVERAGE.
#include <gtest/gtest.h>

#include <cstdlib>

#include "mutant.h"

namespace {

class NameTests : public testing::EmptyTestEventListener {
  void OnTestStart(const testing::TestInfo& test) override {
    emulator::set_running_test(std::string(test.test_suite_name()) + "." + test.name());
  }
};

[[maybe_unused]] const bool listening = [] {
  if (std::getenv("PTX_COVERAGE")) testing::UnitTest::GetInstance()->listeners().Append(new NameTests);
  return true;
}();

}  // namespace
