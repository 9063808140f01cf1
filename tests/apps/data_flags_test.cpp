#include "apps/cli/data_flags.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace gpuvae::apps {
namespace {

using Names = std::vector<std::string>;

TEST(DataFlags, Columns) {
  EXPECT_EQ(parse_columns(""), Names{});
  EXPECT_EQ(parse_columns("a"), Names{"a"});
  EXPECT_EQ(parse_columns("a, b c ,3"), (Names{"a", "b c", "3"}));
  EXPECT_EQ(parse_columns("\"width, in cm\",b"), (Names{"width, in cm", "b"}));
  for (const char* text : {"a,,b", ",", "a,", "\"a", "\"a\"b"}) {
    EXPECT_THROW(parse_columns(text), std::invalid_argument) << text;
    EXPECT_EQ(columns_mistake(text),
              std::string("expected names of columns separated by commas, got ") + text);
  }
  EXPECT_EQ(columns_mistake("a,b"), "");
}

TEST(DataFlags, ValueRange) {
  EXPECT_FALSE(parse_value_range("").has_value());
  EXPECT_EQ(parse_value_range("0:255"), (std::array<double, 2>{0, 255}));
  EXPECT_EQ(parse_value_range("-1.5:2e3"), (std::array<double, 2>{-1.5, 2000}));
  for (const char* text : {"1", "1:", ":1", "1:1", "2:1", "a:b", "0:inf", "nan:1", "0:1:2", "0;1", " "}) {
    EXPECT_THROW(parse_value_range(text), std::invalid_argument) << text;
    EXPECT_EQ(value_range_mistake(text),
              std::string("expected LOW:HIGH, two numbers with LOW below HIGH, got ") + text);
  }
}

}  // namespace
}  // namespace gpuvae::apps
