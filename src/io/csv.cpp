#include "src/io/csv.h"

#include <fmt/ranges.h>

#include <cmath>
#include <cstdint>
#include <utility>

#include "kernels/check.h"

namespace gpuvae::io {
namespace {

std::string number_text(double value) {
  constexpr double kMaxExact = 9007199254740992.0;  // 2^53
  if (std::abs(value) < kMaxExact && value == std::trunc(value))
    return fmt::format("{}", static_cast<std::int64_t>(value));
  return fmt::format("{:.6g}", value);
}

std::string comment_text(std::string comment) {
  for (std::size_t at = 0; (at = comment.find('\n', at)) != std::string::npos; at += 3)
    comment.replace(at, 1, "\n# ");
  return "# " + comment + "\n";
}

}  // namespace

CsvWriter::CsvWriter(std::filesystem::path path, const std::vector<std::string>& columns,
                     const std::vector<std::string>& comments, CsvOptions options)
    : path_(std::move(path)), columns_(columns.size()), sync_(options.sync), started_(!options.deferred) {
  check(columns_ > 0, file_error("write"), "{}: expected at least one column, got none", path_.string());
  for (const auto& name : columns)
    check(!name.empty() && name.front() != '#' && name.find_first_of(",\"\r\n") == std::string::npos,
          file_error("write"),
          "{}: expected a column name that is not empty, does not begin with # and needs no quotes, got '{}'",
          path_.string(), name);
  for (const auto& comment : comments) text_ += comment_text(comment);
  text_ += fmt::format("{}\n{}", fmt::join(columns, ","), options.rows);
  if (started_) write_file(path_, text_, sync_);
}

void CsvWriter::start() {
  started_ = true;
  write_file(path_, text_, sync_);
}

void CsvWriter::append(const std::vector<double>& row) {
  check(row.size() == columns_, file_error("write"), "{}: expected {} numbers in a row, got {}",
        path_.string(), columns_, row.size());
  for (std::size_t i = 0; i < row.size(); ++i) {
    if (i > 0) text_ += ',';
    text_ += number_text(row[i]);
  }
  text_ += '\n';
  if (started_) write_file(path_, text_, sync_);
}

}  // namespace gpuvae::io
