// Tests the parts of figures: ticks, numbers, text. figures_test.cpp tests the figures themselves.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "apps/plot/axes.h"
#include "tests/apps/svg_reader.h"

namespace gpuvae::apps::plot {
namespace {

using Labels = std::vector<std::string>;

TEST(Ticks, AreNiceNumbersWithinTheRange) {
  EXPECT_EQ(nice_ticks(0, 1, 6).labels, (Labels{"0.0", "0.2", "0.4", "0.6", "0.8", "1.0"}));
  EXPECT_EQ(nice_ticks(160.2, 190.75, 7).labels, (Labels{"165", "170", "175", "180", "185", "190"}));
  EXPECT_EQ(nice_ticks(-620, 292, 6).labels, (Labels{"−600", "−400", "−200", "0", "200"}));
  EXPECT_EQ(nice_ticks(-0.05, 0.12, 4).labels, (Labels{"−0.05", "0.00", "0.05", "0.10"}));
  EXPECT_EQ(nice_ticks(0, 54321, 6).labels, (Labels{"0", "10,000", "20,000", "30,000", "40,000", "50,000"}));
  EXPECT_EQ(nice_ticks(0, 0.3, 4).values,
            (std::vector<double>{0, 0.1, 0.2, 0.3}));  // 3 * 0.1 is a different number
}

TEST(Ticks, OfCountsAreWhole) {
  EXPECT_EQ(nice_ticks(1, 3, 10, 1).labels, (Labels{"1", "2", "3"}));
  EXPECT_EQ(nice_ticks(0.5, 1.5, 10, 1).labels, (Labels{"1"}));
  EXPECT_EQ(nice_ticks(1, 499, 5, 1).labels, (Labels{"100", "200", "300", "400"}));
}

TEST(Ticks, OfExtremeRangesArePowersOfTen) {
  EXPECT_EQ(nice_ticks(0, 3.1e6, 4).labels, (Labels{"0", "1×10⁶", "2×10⁶", "3×10⁶"}));
  EXPECT_EQ(nice_ticks(-2.1e-6, 1e-6, 4).labels, (Labels{"−2×10⁻⁶", "−1×10⁻⁶", "0", "1×10⁻⁶"}));
  EXPECT_EQ(nice_ticks(0, 1.6e12, 4).labels, (Labels{"0", "0.5×10¹²", "1.0×10¹²", "1.5×10¹²"}));
}

TEST(Ticks, AreFewAndEvenForAnyRange) {
  for (int i = 0; i < 2000; ++i) {
    const double low = std::sin(i * 1.3) * std::pow(10.0, i % 13 - 6),
                 width = std::pow(10.0, i % 17 / 2.0 - 6);
    const int at_most = 4 + i % 7;
    if (width < 1e-9 * std::abs(low)) continue;
    const Ticks t = nice_ticks(low, low + width, at_most);
    ASSERT_EQ(t.values.size(), t.labels.size());
    ASSERT_GE(t.values.size(), 1u) << low << " " << width;
    ASSERT_LE(t.values.size(), static_cast<std::size_t>(at_most));
    for (std::size_t k = 0; k < t.values.size(); ++k) {
      EXPECT_GE(t.values[k], low - 1e-8 * width);
      EXPECT_LE(t.values[k], low + width * (1 + 1e-8));
      if (k == 0) continue;
      EXPECT_NE(t.labels[k], t.labels[k - 1]);
      EXPECT_NEAR(t.values[k] - t.values[k - 1], t.values[1] - t.values[0], 1e-6 * width);
    }
  }
}

TEST(LogTicks, BecomeSparserWithMoreDecades) {
  EXPECT_EQ(log_ticks(90, 6000, 8).labels, (Labels{"100", "200", "500", "1,000", "2,000", "5,000"}));
  EXPECT_EQ(log_ticks(0.05, 60000, 7).labels, (Labels{"0.1", "1", "10", "100", "1,000", "10,000"}));
  EXPECT_EQ(log_ticks(1e-12, 1e9, 6).labels, (Labels{"10⁻¹⁰", "10⁻⁵", "10⁰", "10⁵"}));
  // As on a linear axis.
  EXPECT_EQ(log_ticks(100, 190, 5).labels, (Labels{"100", "120", "140", "160", "180"}));
  EXPECT_EQ(log_ticks(3e6, 3e7, 8).labels, (Labels{"5×10⁶", "10⁷", "2×10⁷"}));
}

TEST(Numbers, HaveATrueMinusAndNoMinusZero) {
  EXPECT_EQ(number_text(-1234.5, 1), "−1,234.5");
  EXPECT_EQ(number_text(-0.0, 2), "0.00");
  EXPECT_EQ(number_text(-0.004, 2), "0.00");
  EXPECT_EQ(number_text(-0.006, 2), "−0.01");
  EXPECT_EQ(number_text(999, 0), "999");
  EXPECT_EQ(number_text(1234567, 0), "1,234,567");
  EXPECT_EQ(coordinate(-0.001), "0");
  EXPECT_EQ(coordinate(12.5), "12.5");
  EXPECT_EQ(coordinate(100), "100");
}

TEST(Ranges, IgnoreValuesThatCannotBeDrawn) {
  const double nan = std::nan(""), inf = std::numeric_limits<double>::infinity();
  EXPECT_EQ(range_of(std::vector<double>{nan, 3, -inf, 7, 1e301}), (Range{3, 7}));
  EXPECT_EQ(range_of(std::vector<double>{nan}), (Range{0, 1}));
  EXPECT_EQ(padded({0, 10}, 0.1), (Range{-1, 11}));
  EXPECT_EQ(padded({100, 100}, 0.1), (Range{95, 105}));
  EXPECT_EQ(padded({0, 0}, 0.1), (Range{-0.5, 0.5}));
  EXPECT_EQ(padded_above_zero({1, 101}, 0.1), (Range{0, 111}));
  EXPECT_EQ(padded_above_zero({-1, 101}, 0), (Range{-1, 101}));
}

TEST(Scales, MapLinearlyOrByLogarithm) {
  EXPECT_DOUBLE_EQ((Scale{{-10, 10}, 200, 0}(5)), 50);
  EXPECT_DOUBLE_EQ((Scale{{1, 100}, 0, 60, true}(10)), 30);
}

TEST(Labels, SpreadAsLittleAsNeeded) {
  using Heights = std::vector<double>;
  const Range far{-1000, 1000};
  EXPECT_EQ(spread_labels({10, 50, 90}, 18, far), (Heights{10, 50, 90}));
  EXPECT_EQ(spread_labels({50, 50}, 18, far), (Heights{41, 59}));
  EXPECT_EQ(spread_labels({56, 50}, 10, far), (Heights{58, 48}));
  // The third label is pushed by the first two and pushes them back.
  EXPECT_EQ(spread_labels({0, 0, 6}, 10, far), (Heights{-8, 2, 12}));
  EXPECT_TRUE(spread_labels({}, 10, far).empty());
}

TEST(Labels, StayWithinBounds) {
  using Heights = std::vector<double>;
  EXPECT_EQ(spread_labels({0, 0, 6}, 10, {0, 100}), (Heights{0, 10, 20}));
  EXPECT_EQ(spread_labels({20, 99, 98}, 10, {0, 100}), (Heights{20, 100, 90}));
  EXPECT_EQ(spread_labels({95, 99, 98}, 10, {0, 100}), (Heights{80, 100, 90}));
}

TEST(Text, IsEscapedForXml) {
  EXPECT_EQ(escape("a & b < c > \"d\" 'e'"), "a &amp; b &lt; c &gt; &quot;d&quot; 'e'");
  EXPECT_EQ(escape("σ² → ‖"), "σ² → ‖");
  EXPECT_EQ(escape("a\x01"
                   "b\x7f"),
            "a\uFFFDb\x7f");
  // These inputs are truncated, overlong, a surrogate, beyond Unicode, and a stray continuation byte.
  for (const char* bad : {"\xE2\x82", "\xC0\xAF", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\x80"}) {
    const std::string escaped = escape(std::string(bad) + "x");
    EXPECT_EQ(escaped.substr(0, 3), "\uFFFD") << escaped;
    EXPECT_EQ(escaped.back(), 'x');
  }
}

TEST(Text, WidthMatchesDejaVuSans) {
  EXPECT_NEAR(text_width("epoch", 100), 62 + 64 + 62 + 55 + 64, 1e-9);
  EXPECT_NEAR(text_width("−1", 100), 84 + 64, 1e-9);
  EXPECT_GT(text_width("mean", 13, true), 1.1 * text_width("mean", 13));
  const Box turned = text_box(100, 200, "epoch", {.size = 10, .anchor = "end", .upwards = true});
  EXPECT_DOUBLE_EQ(turned.y, 200);  // the text reads upwards and ends here
  EXPECT_DOUBLE_EQ(turned.height, text_width("epoch", 10));
  EXPECT_DOUBLE_EQ(turned.x, 92);
}

TEST(Base64, FollowsRfc4648) {
  const std::vector<std::pair<const char*, const char*>> cases = {
      {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foobar", "Zm9vYmFy"}, {"\xff\xfe", "//4="}};
  for (const auto& [bytes, text] : cases) EXPECT_EQ(base64(bytes), text);
}

TEST(Svg, GrowsWithItsContent) {
  Svg svg;
  svg.rect({-30.5, 10, 50, 20}, "fill=\"#000\"");
  svg.text(100, 200, "end", {.size = 10});
  const std::string text = svg.finish("<title>", 10);
  test::expect_sound(text);
  const Box page = test::SvgReader(text).elements[1].box();
  EXPECT_EQ(page.x, -41);
  EXPECT_EQ(page.y, 0);
  EXPECT_EQ(page.right(), std::ceil(100 + text_width("end", 10) + 10));
  EXPECT_EQ(test::SvgReader(text).elements[0].attributes.at("aria-label"), "<title>");
  test::expect_sound(Svg().finish(""));
}

}  // namespace
}  // namespace gpuvae::apps::plot
