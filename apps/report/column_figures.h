// Generated rows of a table beside real ones, column by column.
#pragma once

#include "apps/plot/plot.h"
#include "apps/report/figures.h"

namespace gpuvae::apps {

// A column of a table in real and in generated rows, in the units of the table.
struct ColumnComparison {
  std::string name;
  double real_mean = 0, real_stddev = 0, generated_mean = 0, generated_stddev = 0;
  double distance = 0;   // of Kolmogorov and Smirnov: the largest difference of the distribution functions
  HistogramPanel panel;  // real and generated values
};
// Compares real [rows, columns] with generated rows of as many columns. The numbers of rows may differ.
std::vector<ColumnComparison> compare_columns(const std::vector<std::string>& names,
                                              const std::vector<double>& real,
                                              const std::vector<double>& generated);

// Draws of p(x | z) with z from the prior, beside rows of the validation set.
struct ColumnReport {
  std::vector<ColumnComparison> columns;
  std::int64_t real_rows = 0, generated_rows = 0;
  std::string drawn_from = "p(x | z)";  // the name of the distribution in captions
};
ColumnReport column_report(const Session& session);
// Histograms of up to 30 columns: the first ones, or if there are more, those that differ most.
Figure column_figure(const ColumnReport& report);
// A folded table of all columns.
ReportTable column_table(const ColumnReport& report);

}  // namespace gpuvae::apps
