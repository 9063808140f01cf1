#include "src/data/file_examples.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "kernels/check.h"
#include "kernels/cpu/parallel.h"
#include "src/data/conversion.h"
#include "src/data/values.h"

namespace gpuvae::data {
namespace {

// Some of the rows of a file, in about one bit per row of the file.
class ChosenRows {
 public:
  ChosenRows(const std::vector<bool>& chosen, bool which) : words_((chosen.size() + 63) / 64) {
    for (std::size_t row = 0; row < chosen.size(); ++row)
      if (chosen[row] == which) words_[row / 64] |= std::uint64_t{1} << row % 64;
    for (std::size_t w = 0; w < words_.size(); ++w) {
      if (w % kBlock == 0) before_.push_back(count_);
      count_ += std::popcount(words_[w]);
    }
  }

  std::int64_t count() const { return count_; }
  // The row with the given number among the chosen ones, from 0 to count() - 1.
  std::int64_t row(std::int64_t number) const {
    const auto block = std::ranges::upper_bound(before_, number) - before_.begin() - 1;
    std::int64_t left = number - before_[static_cast<std::size_t>(block)];
    std::size_t w = static_cast<std::size_t>(block) * kBlock;
    for (; left >= std::popcount(words_[w]); ++w) left -= std::popcount(words_[w]);
    std::uint64_t word = words_[w];
    for (; left > 0; --left) word &= word - 1;  // removes the lowest bit
    return static_cast<std::int64_t>(w) * 64 + std::countr_zero(word);
  }

 private:
  static constexpr std::size_t kBlock = 8;  // words per element of before_

  std::vector<std::uint64_t> words_;  // one bit per row of the file
  std::vector<std::int64_t> before_;  // chosen rows before each block
  std::int64_t count_ = 0;
};

class FileExamples final : public ExampleSource {
 public:
  FileExamples(const Rows& rows, const ValueRange& range, const Standardization& by,
               const std::vector<bool>& chosen, bool which)
      : range_(range), by_(by), chosen_(chosen, which), all_(chosen.empty()) {
    rows_.path = rows.path;
    rows_.height = rows.height;
    rows_.width = rows.width;
    rows_.values = rows.values;
    rows_.columns = rows.columns;
    rows_.first_row = rows.first_row;
    rows_.missing_values = rows.missing_values;
    const io::ArrayLayout& layout = rows.file()->layout();
    const bool floats = layout.element_size == sizeof(float) && by.empty() && !range.scaled;
    copied_ = layout.plain && (range.kind == ValueKind::bytes ? layout.bytes : !layout.bytes && floats);
  }

  std::int64_t count() const override { return all_ ? rows_.count() : chosen_.count(); }
  std::int64_t features() const override { return static_cast<std::int64_t>(rows_.row_size()); }
  DType dtype() const override { return range_.kind == ValueKind::bytes ? DType::u8 : DType::f32; }
  std::int64_t row_number(std::int64_t example) const override {
    return rows_.first_row + (all_ ? example : chosen_.row(example));
  }

  // The values of all rows of the file, chosen or not.
  const FileValues& values() const { return std::get<FileValues>(rows_.values); }

  void read(std::span<const std::int64_t> examples, void* out) const override {
    const std::int64_t count = std::ssize(examples), row_bytes = features() * value_bytes();
    prefetch(examples);
    const auto read_some = [&](std::int64_t begin, std::int64_t end) {
      read_rows(examples.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin)),
                static_cast<std::uint8_t*>(out) + begin * row_bytes);
    };
    kernels::parallel_chunks(kernels::Chunks::of_rows(count, features()),
                             count * features() >= kernels::kCostlyGrain, read_some);
    rows_.file()->check_unchanged();
  }

 private:
  std::int64_t value_bytes() const { return static_cast<std::int64_t>(size_of(dtype())); }
  std::int64_t row_of(std::int64_t example) const { return all_ ? example : chosen_.row(example); }

  // Lets the disk read all rows at the same time. If the first row is in memory, the others probably are,
  // too.
  void prefetch(std::span<const std::int64_t> examples) const {
    const std::size_t size = rows_.row_size();
    const auto first = [&](std::int64_t example) { return static_cast<std::size_t>(row_of(example)) * size; };
    if (examples.empty() || rows_.file()->is_cached(first(examples.front()))) return;
    for (const std::int64_t example : examples) rows_.file()->prefetch(first(example), size);
  }

  // Reads rows that are close to each other at once.
  void read_rows(std::span<const std::int64_t> examples, std::uint8_t* out) const {
    constexpr std::int64_t kMaxBytes = 1 << 20, kMaxGap = 4096;
    const std::int64_t stored = features() * static_cast<std::int64_t>(rows_.file()->layout().element_size);
    std::vector<std::int64_t> together;
    const auto read_them = [&] {
      if (!together.empty()) out = read_group(together, out);
      together.clear();
    };
    for (const std::int64_t example : examples) {
      const std::int64_t row = row_of(example);
      if (!together.empty()) {
        const std::int64_t gap = (row - together.back() - 1) * stored;
        if (gap < 0 || gap > kMaxGap || (row + 1 - together.front()) * stored > kMaxBytes) read_them();
      }
      together.push_back(row);
    }
    read_them();
  }

  // Reads ascending rows, and returns the position after them in `out`.
  std::uint8_t* read_group(std::span<const std::int64_t> rows, std::uint8_t* out) const {
    const io::FileArray& file = *rows_.file();
    const std::size_t size = rows_.row_size();
    const auto first = static_cast<std::size_t>(rows.front()),
               span = static_cast<std::size_t>(rows.back()) + 1 - first;
    const std::size_t row_bytes = size * static_cast<std::size_t>(value_bytes());
    if (copied_ && span == rows.size()) {
      file.read(first * size, {out, span * row_bytes});
      return out + span * row_bytes;
    }
    io::NpyArray values;
    file.append(first * size, span * size, values);
    const RowConverter convert{rows_, range_, by_};
    values.visit([&](const auto& read) {
      for (const std::int64_t row : rows) {
        const auto* from = read.data() + (static_cast<std::size_t>(row) - first) * size;
        if (dtype() == DType::u8) {
          convert(from, static_cast<std::size_t>(row), out);
        } else {
          convert(from, static_cast<std::size_t>(row), reinterpret_cast<float*>(out));
        }
        out += row_bytes;
      }
    });
    return out;
  }

  Rows rows_;  // without labels
  ValueRange range_;
  Standardization by_;
  ChosenRows chosen_;
  bool all_;             // whether the rows are all rows of the file
  bool copied_ = false;  // whether the bytes of an example are those of its row
};

// Of the types in files, only f64 has numbers beyond f32.
void check_within_f32(const Rows& rows, const ValueRange& range, const Standardization& by,
                      const std::vector<bool>& chosen, bool which) {
  io::NpyArray probe;
  rows.file()->append(0, 1, probe);
  if (range.kind == ValueKind::bytes || probe.f64.empty()) return;
  const std::size_t size = rows.row_size();
  const RowConverter convert{rows, range, by};
  std::vector<float> example(size);
  rows.for_parts([&](const auto& values, std::size_t first) {
    for (std::size_t at = 0; at < values.size(); at += size)
      if (const std::size_t row = (first + at) / size; chosen.empty() || chosen[row] == which)
        convert(values.data() + at, row, example.data());
  });
}

class PartOfSource final : public ExampleSource {
 public:
  PartOfSource(std::shared_ptr<const ExampleSource> whole, std::int64_t first, std::int64_t count)
      : whole_(std::move(whole)), first_(first), count_(count) {}

  std::int64_t count() const override { return count_; }
  std::int64_t features() const override { return whole_->features(); }
  DType dtype() const override { return whole_->dtype(); }
  std::int64_t row_number(std::int64_t example) const override {
    return whole_->row_number(first_ + example);
  }
  const ExampleSource& whole() const { return *whole_; }

  void read(std::span<const std::int64_t> examples, void* out) const override {
    std::vector<std::int64_t> shifted(examples.begin(), examples.end());
    for (std::int64_t& example : shifted) example += first_;
    whole_->read(shifted, out);
  }

 private:
  std::shared_ptr<const ExampleSource> whole_;
  std::int64_t first_, count_;
};

}  // namespace

std::shared_ptr<const ExampleSource> file_examples(const Rows& rows, const ValueRange& range,
                                                   const Standardization& by, const std::vector<bool>& chosen,
                                                   bool which) {
  check_within_f32(rows, range, by, chosen, which);
  return std::make_shared<const FileExamples>(rows, range, by, chosen, which);
}

FileValues first_values(const ExampleSource& source) {
  const auto* part = dynamic_cast<const PartOfSource*>(&source);
  FileValues values = dynamic_cast<const FileExamples&>(part != nullptr ? part->whole() : source).values();
  values.resize(static_cast<std::size_t>(source.count() * source.features()));
  return values;
}

std::shared_ptr<const ExampleSource> part_of(std::shared_ptr<const ExampleSource> whole, std::int64_t first,
                                             std::int64_t count) {
  check(first >= 0 && count >= 0 && first <= whole->count() - count, "slice",
        "expected examples within 0 to {}, got {} from {} on", whole->count(), count, first);
  if (first == 0 && count == whole->count()) return whole;
  return std::make_shared<const PartOfSource>(std::move(whole), first, count);
}

}  // namespace gpuvae::data
