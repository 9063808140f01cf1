// The page of a sweep, sweep.html.
#pragma once

#include <string>

#include "apps/report/report.h"
#include "apps/sweep/summary.h"

namespace gpuvae::apps {

// What the page says about the sweep besides its summary.
struct SweepFacts {
  std::string program, data, unit, command_line;
  std::vector<std::pair<std::string, std::string>> failures;  // name of a run, and why it failed
  std::size_t unfinished = 0;                                 // runs that were stopped or have not begun
};

// Tables of the settings and of the runs, with links to the runs' reports, and charts with the intervals.
ReportPage sweep_page(const SweepSummary& summary, const SweepFacts& facts);

}  // namespace gpuvae::apps
