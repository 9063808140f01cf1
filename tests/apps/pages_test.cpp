#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>

#include "apps/plot/palette.h"
#include "apps/plot/svg.h"
#include "apps/report/html.h"
#include "apps/report/report.h"
#include "tests/temporary_folder.h"

namespace gpuvae::apps {
namespace {

using test::error_of;

ExplorerPage small_page() {
  ExplorerPage page;
  page.title = "title";
  page.subtitle = "subtitle";
  page.height = 2;
  page.width = 3;
  page.decoder = {{Activation::leaky_relu, 2, 1, {0.5f, -1.25f}, {3}},
                  {Activation::sigmoid, 1, 6, {1, 2, 3, 4, 5, 6}, {0, 0, 0, 0, 0, 1e-30f}}};
  page.sliders = {{.name = "z1"}, {.name = "z2", .low = -1, .high = 4, .step = 0.1, .scale = 2}};
  page.points = {1, 2, 3, 4};
  page.labels = {7, 9};
  return page;
}

int count(std::string_view text, std::string_view part) {
  int n = 0;
  for (auto at = text.find(part); at != text.npos; at = text.find(part, at + part.size())) ++n;
  return n;
}

TEST(Report, ShowsTables) {
  ReportPage page;
  page.title = "t";
  page.tables = {
      {"Settings", "a note", {"x", "y"}, {{{"<1>"}, {"2"}}, {{"3"}, {"4", "a=b/report.html?c&d"}}}, 1, false},
      {"Runs", "", {"run"}, {{{"r1"}}}, std::nullopt, true}};
  const std::string html = report_html(page);
  EXPECT_EQ(count(html, "<td>&lt;1&gt;</td><td>2</td>"), 1);
  EXPECT_EQ(count(html, "<a href=\"a=b/report.html?c&amp;d\">4</a>"), 1);
  EXPECT_EQ(count(html, "class=\"page-marked\"><td>3</td>"), 1);
  EXPECT_LT(html.find("a note"), html.find("<details><summary>Runs <span>(1)"));
  page.tables[0].rows[0].pop_back();
  EXPECT_NE(error_of([&] { report_html(page); }).find("expected 2 cells per row in table 'Settings', got 1"),
            std::string::npos);
}

// Returns the data that the page's script reads.
nlohmann::json data_of(const std::string& page) {
  const std::string_view open = "class=\"gx-data\">", close = "</script>";
  const auto begin = page.find(open) + open.size();
  return nlohmann::json::parse(page.substr(begin, page.find(close, begin) - begin));
}

std::vector<float> floats(const std::string& base64) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  unsigned group = 0, bits = 0;
  for (const char c : base64.substr(0, base64.find('='))) {
    group = group << 6 | static_cast<unsigned>(kDigits.find(c));
    bits += 6;
    if (bits >= 8) bytes += static_cast<char>(group >> (bits -= 8) & 255);
  }
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), values.size() * sizeof(float));
  return values;
}

TEST(Html, TextIsEscaped) {
  EXPECT_EQ(html_escaped("<a b=\"c\" d='e'>&amp;"), "&lt;a b=&quot;c&quot; d=&#39;e&#39;&gt;&amp;amp;");
}

TEST(Html, Base64FollowsTheStandard) {
  // RFC 4648, section 10, lists these values.
  const std::string_view text = "foobar";
  const char* expected[] = {"", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"};
  for (std::size_t n = 0; n <= text.size(); ++n) EXPECT_EQ(plot::base64(text.substr(0, n)), expected[n]);
  EXPECT_EQ(plot::base64(std::string_view("\xff\xfe\xfb", 3)), "//77");
  EXPECT_EQ(base64(std::vector<float>{1, -2.5f}), "AACAPwAAIMA=");
}

TEST(Html, FillsEachNameOnce) {
  EXPECT_EQ(filled("{{a}}-{{b}}{{a}} }} {", {{"a", "{{b}}"}, {"b", "2"}}), "{{b}}-2{{b}} }} {");
  EXPECT_EQ(error_of([] {
              filled("{{a}}", {{"b", ""}});
            }),
            "[page] expected a value for each name, got none for a");
}

TEST(Explorer, CarriesEveryNumberOfTheDecoderAndTheData) {
  const ExplorerPage page = small_page();
  const nlohmann::json data = data_of(explorer_html(page));
  EXPECT_EQ(data["height"], 2);
  EXPECT_EQ(data["width"], 3);
  EXPECT_FLOAT_EQ(data["leakySlope"].get<float>(), kLeakySlope);
  ASSERT_EQ(data["decoder"].size(), 2u);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(floats(data["decoder"][i]["weight"]), page.decoder[i].weight);
    EXPECT_EQ(floats(data["decoder"][i]["bias"]), page.decoder[i].bias);
    EXPECT_EQ(data["decoder"][i]["activation"], std::string(name(page.decoder[i].activation)));
  }
  EXPECT_EQ(data["sliders"][1]["low"], -1);
  EXPECT_EQ(data["sliders"][1]["high"], 4);
  EXPECT_EQ(data["sliders"][1]["scale"], 2);
  EXPECT_EQ(floats(data["points"]), page.points);
  EXPECT_EQ(data["labels"], page.labels);
}

TEST(Explorer, HasTheColoursOfTheFigures) {
  ExplorerPage page = small_page();
  page.colour_label = "digit";
  const nlohmann::json data = data_of(explorer_html(page));
  ASSERT_EQ(data["colours"].size(), kLabelColours.size());
  for (std::size_t i = 0; i < kLabelColours.size(); ++i) EXPECT_EQ(data["colours"][i], hex(kLabelColours[i]));
  EXPECT_EQ(data["ramp"].front(), hex(sequential_colour(0)));
  EXPECT_EQ(data["ramp"].back(), hex(sequential_colour(1)));
  EXPECT_EQ(data["colourLabel"], "digit");
  EXPECT_EQ(data["isQuantity"], false);
}

TEST(Explorer, ColoursByAQuantity) {
  ExplorerPage page = small_page();
  page.labels.clear(), page.values = {0.5f, 7};
  const nlohmann::json data = data_of(explorer_html(page));
  EXPECT_EQ(data["labels"], page.values);
  EXPECT_EQ(data["isQuantity"], true);
  page.labels = {1, 2};
  EXPECT_EQ(error_of([&] { explorer_html(page); }), "[explorer] expected labels or values, got both");
  page.labels.clear();
  page.values = {1};
  EXPECT_EQ(error_of([&] { explorer_html(page); }), "[explorer] expected 2 values or none, got 1");
}

TEST(Explorer, HasUnitsConditionsAndNamesOfLabels) {
  ExplorerPage page = small_page();
  page.height = 1;
  page.width = 6;
  page.units.assign(6, {2, 10});
  page.unit_note = "in cm";
  page.label_names = {"no", "yes"};
  page.class_names = {"mean"};
  page.class_biases = {{3}};
  page.conditions = {{"dose", 0, 100, 40, 0.5, {7}}};
  const nlohmann::json data = data_of(explorer_html(page));
  EXPECT_EQ(data.at("units").at(5), nlohmann::json::parse("[2.0, 10.0]"));
  EXPECT_EQ(data.at("unitNote"), "in cm");
  EXPECT_EQ(data.at("labelNames").at(1), "yes");
  const nlohmann::json dose = data.at("conditions").at(0);
  EXPECT_EQ(dose.at("name"), "dose");
  EXPECT_EQ(dose.at("value"), 40);
  EXPECT_EQ(floats(dose.at("weight")), std::vector<float>{7});
  page.conditions[0].weight = {1, 2};
  EXPECT_NE(error_of([&] { explorer_html(page); }).find("weights of the condition 'dose', got 2"),
            std::string::npos);
  page.conditions.clear();
  page.units.resize(5);
  EXPECT_NE(error_of([&] { explorer_html(page); }).find("expected one unit per column"), std::string::npos);
}

TEST(Explorer, AllTextIsEscaped) {
  const std::string evil = "</script><script>alert(1)</script><!-- \" ' & </title>";
  ExplorerPage page = small_page();
  const int plain = count(explorer_html(page), "<script");
  page.title = page.subtitle = page.sliders[0].name = evil;
  page.height = 1;
  page.width = 6;
  page.column_names = {evil, "b", "c", "d", "e", "\xff not UTF-8"};
  const std::string html = explorer_html(page);
  EXPECT_EQ(count(html, "<script"), plain);
  EXPECT_EQ(count(html, "</script"), plain);
  EXPECT_EQ(count(html, "</title"), 1);
  EXPECT_EQ(count(html, "alert(1)"), 6) << "title, heading, subtitle, label, slider, column";
  const nlohmann::json data = data_of(html);
  EXPECT_EQ(data["sliders"][0]["name"], evil);
  EXPECT_EQ(data["columns"][0], evil);
}

TEST(Explorer, PagesReferToNoOtherFile) {
  ReportPage report;
  report.explorer = small_page();
  report.pictures = {{"a", "b", "<svg xmlns=\"http://www.w3.org/2000/svg\"/>", "", false}};
  for (const std::string& html : {explorer_html(small_page()), report_html(report)}) {
    for (const char* outside :
         {"http:", "https:", "//www", "url(", "@import", "import ", "fetch(", "src=\"/"})
      EXPECT_EQ(count(html, outside), 0) << outside;
    EXPECT_EQ(count(html, "src="), count(html, "src=\"data:"));
    EXPECT_EQ(count(html, "href="), count(html, "href=\"data:"));
  }
}

TEST(Explorer, AFragmentIsNotAPage) {
  const std::string fragment = explorer_fragment(small_page());
  for (const char* part : {"<html", "<head", "<body", "<title", "<h1", "<main", "page-"})
    EXPECT_EQ(count(fragment, part), 0) << part;
  EXPECT_EQ(data_of(fragment), data_of(explorer_html(small_page())));
}

TEST(Explorer, ManyPointsAreThinnedEvenly) {
  ExplorerPage page = small_page();
  page.points.clear(), page.labels.clear();
  for (int i = 0; i < 25000; ++i) {
    page.points.insert(page.points.end(), {static_cast<float>(i), 0});
    page.labels.push_back(i);
  }
  const nlohmann::json data = data_of(explorer_html(page));
  const std::vector<float> points = floats(data["points"]);
  ASSERT_EQ(points.size(), 2u * 8334);
  ASSERT_EQ(data["labels"].size(), 8334u);
  EXPECT_EQ(points[2], 3);
  EXPECT_EQ(points[2 * 8333], 24999);
  EXPECT_EQ(data["labels"][8333], 24999);
}

TEST(Explorer, SizesThatDoNotFitAreErrors) {
  const auto error = [](auto&& change) {
    ExplorerPage page = small_page();
    change(page);
    return error_of([&] { explorer_html(page); });
  };
  EXPECT_EQ(error([](auto& p) { p.decoder.clear(); }),
            "[explorer] expected at least one decoder layer, got none");
  EXPECT_EQ(error([](auto& p) { p.sliders.clear(); }), "[explorer] expected at least one slider, got none");
  EXPECT_EQ(error([](auto& p) { p.sliders.pop_back(); }),
            "[explorer] expected decoder layer 0 to have 1 inputs, got 2");
  EXPECT_EQ(error([](auto& p) { p.decoder[1].in = 2; }),
            "[explorer] expected decoder layer 1 to have 1 inputs, got 2");
  EXPECT_EQ(
      error([](auto& p) { p.decoder[0].weight.pop_back(); }),
      "[explorer] expected decoder layer 0 to have a weight [1, 2] and a bias [1], got 1 and 1 elements");
  EXPECT_EQ(
      error([](auto& p) { p.decoder[1].bias.clear(); }),
      "[explorer] expected decoder layer 1 to have a weight [6, 1] and a bias [6], got 6 and 0 elements");
  EXPECT_EQ(error([](auto& p) { p.width = 4; }), "[explorer] expected a decoder with 2 x 4 outputs, got 6");
  EXPECT_EQ(error([](auto& p) { p.height = -2, p.width = -3; }),
            "[explorer] expected a decoder with -2 x -3 outputs, got 6");
  EXPECT_EQ(error([](auto& p) { p.points.pop_back(); }), "[explorer] expected points [n, 2], got 3 elements");
  EXPECT_EQ(error([](auto& p) { p.labels.pop_back(); }), "[explorer] expected 2 labels or none, got 1");
  EXPECT_EQ(error([](auto& p) { p.points.clear(); }), "[explorer] expected 0 labels or none, got 2");
  EXPECT_EQ(error([](auto& p) { p.column_names = {"a"}; }),
            "[explorer] expected one name per column of a table of height 1, got 1 names for 2 x 3");
  const std::string slider =
      "[explorer] expected finite low < high, step > 0 and scale != 0 for slider 'z1', got ";
  EXPECT_EQ(error([](auto& p) { p.sliders[0].low = 3; }), slider + "3, 3, 0.05, 1");
  EXPECT_EQ(error([](auto& p) { p.sliders[0].step = 0; }), slider + "-3, 3, 0, 1");
  EXPECT_EQ(error([](auto& p) { p.sliders[0].scale = 0; }), slider + "-3, 3, 0.05, 0");
  EXPECT_EQ(error([](auto& p) { p.sliders[0].high = std::numeric_limits<double>::infinity(); }),
            slider + "-3, inf, 0.05, 1");
}

TEST(Explorer, SlidersHoldNearlyAllPoints) {
  std::vector<float> points(2000, 1.0f);
  EXPECT_EQ(sliders_around(points, 2)[1].high, 3);
  EXPECT_EQ(sliders_around(points, 2)[1].name, "z2");
  std::fill_n(points.begin(), 5, -100.0f);  // one point in four hundred is an outlier
  EXPECT_EQ(sliders_around(points, 2)[0].high, 3);
  std::fill_n(points.begin(), 20, -4.2f);
  EXPECT_EQ(sliders_around(points, 2)[0].high, 4.5);
  EXPECT_EQ(sliders_around(points, 2)[0].low, -4.5);
  EXPECT_EQ(sliders_around({}, 3).size(), 3u);
}

ReportPage small_report() {
  ReportPage page;
  page.title = "a <b>";
  page.subtitle = "c & d";
  page.warnings = {"collapse of 2 < 3"};
  page.numbers = {{"validation loss", "152.29", "nats/image", "mean of 10,000 images"}};
  page.configuration = {{"Model", {{"hidden", "<256>"}}}};
  page.pictures = {{"Loss", "an epoch a point", "<svg/>", "", false}, {"Samples", "", "", "\x89PNG", true}};
  return page;
}

TEST(Report, HoldsEveryPartEscaped) {
  const std::string html = report_html(small_report());
  for (const char* part :
       {"<title>a &lt;b&gt;</title>", "<p>c &amp; d</p>", "<li>collapse of 2 &lt; 3</li>",
        "<dt>validation loss</dt>", "152.29 <span class=\"page-unit\">nats/image</span>",
        "mean of 10,000 images", "<td>&lt;256&gt;</td>",
        "src=\"data:image/svg+xml;base64,PHN2Zy8+\" alt=\"Loss\"", "<figure class=\"page-wide\">",
        "src=\"data:image/png;base64,iVBORw==\" alt=\"Samples\""})
    EXPECT_EQ(count(html, part), 1) << part;
}

TEST(Report, FiguresAreEnlargedByAtMostAThird) {
  ReportPage page = small_report();
  page.pictures = {{"a", "", "<svg width=\"500\"></svg>", "", true},
                   {"b", "", "<svg><g width=\"9\"/></svg>", "", true}};
  const std::string html = report_html(page);
  EXPECT_EQ(count(html, "max-width:min(100%,650px)"), 1);
  EXPECT_EQ(count(html, "max-width:min("), 1);
}

TEST(Report, OmitsEmptyParts) {
  const std::string html = report_html({.title = "empty"});
  for (const char* part : {"<h2", "<ul", "<dl", "<figure", "<details", "<canvas"})
    EXPECT_EQ(count(html, part), 0) << part;
}

TEST(Report, APictureIsSvgOrPng) {
  ReportPage page = small_report();
  page.pictures[0].svg.clear();
  EXPECT_EQ(error_of([&] { report_html(page); }),
            "[report] expected SVG text or PNG bytes for picture 'Loss', got neither");
  page.pictures[0].svg = page.pictures[0].png = "x";
  EXPECT_EQ(error_of([&] { report_html(page); }),
            "[report] expected SVG text or PNG bytes for picture 'Loss', got both");
}

}  // namespace
}  // namespace gpuvae::apps
