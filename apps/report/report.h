// The report of a run: one page of numbers, curves, pictures, settings and, optionally, the explorer.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "apps/report/explorer.h"

namespace gpuvae::apps {

struct ReportRow {
  std::string name = {}, value = {};
};
// "validation loss", "152.29", "nats/image", "mean of 10,000 images"
struct ReportNumber {
  std::string name = {}, value = {}, unit = {}, note = {};
};
// Exactly one of `svg` (text) and `png` (bytes) is set. Pictures have a light background in dark pages too.
struct ReportPicture {
  std::string title = {}, caption = {}, svg = {}, png = {};
  bool wide = false;  // takes a whole row
};

struct ReportCell {
  std::string text = {};
  std::string link = {};  // relative URL; or empty
};
// A table with a title. A folded one is shown only on request.
struct ReportTable {
  std::string title = {}, note = {};
  std::vector<std::string> columns = {};
  std::vector<std::vector<ReportCell>> rows = {};  // as many cells as columns
  std::optional<std::size_t> marked = {};          // row that is set in bold
  bool folded = false;
};

struct ReportPage {
  std::string title = {}, subtitle = {};
  std::vector<ReportNumber> numbers = {};
  std::vector<std::pair<std::string, std::vector<ReportRow>>> configuration = {};  // groups of settings
  std::vector<ReportTable> tables = {};  // before the pictures; folded ones behind them
  std::vector<ReportPicture> pictures = {};
  std::vector<std::string> warnings = {};  // shown first
  std::optional<ExplorerPage> explorer = {};
};

// A complete page, which needs no server, network or other file. Empty parts are left out. Throws Error if a
// picture has neither svg nor png, or both, if a row of a table has another number of cells than there are
// columns, and in the cases of explorer_html.
std::string report_html(const ReportPage& page);

}  // namespace gpuvae::apps
