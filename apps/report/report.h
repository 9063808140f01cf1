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

struct ReportPage {
  std::string title = {}, subtitle = {};
  std::vector<ReportNumber> numbers = {};
  std::vector<std::pair<std::string, std::vector<ReportRow>>> configuration = {};  // groups of settings
  std::vector<ReportPicture> pictures = {};
  std::vector<std::string> warnings = {};  // shown first
  std::optional<ExplorerPage> explorer = {};
};

// A complete page, which needs no server, network or other file. Empty parts are left out. Throws Error if a
// picture has neither svg nor png, or both, and in the cases of explorer_html.
std::string report_html(const ReportPage& page);

}  // namespace gpuvae::apps
