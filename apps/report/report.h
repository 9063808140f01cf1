// The report of a run: one page of numbers, curves, pictures, settings and, if wanted, the explorer.
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
struct ReportNumber {
  std::string name = {}, value = {}, unit = {},
              note = {};  // "validation loss", "152.29", "nats/image", "mean of 10,000 images"
};
// Exactly one of `svg` (text) and `png` (bytes). Drawn for a light ground, which it gets in dark pages too.
struct ReportPicture {
  std::string title = {}, caption = {}, svg = {}, png = {};
  bool wide = false;  // a row of its own
};

struct ReportPage {
  std::string title = {}, subtitle = {};
  std::vector<ReportNumber> numbers = {};
  std::vector<std::pair<std::string, std::vector<ReportRow>>> configuration = {};  // groups of settings
  std::vector<ReportPicture> pictures = {};
  std::vector<std::string> warnings = {};  // shown first
  std::optional<ExplorerPage> explorer = {};
};

// A whole page: no server, no network, nothing beside the file. Parts that are empty are left out. Throws
// Error at a picture without svg or png, and what explorer_html throws.
std::string report_html(const ReportPage& page);

}  // namespace gpuvae::apps
