// The conditions of conditional models: labels as one-hot codes, and columns of a table.
#include <algorithm>
#include <numeric>

#include "gpuvae/data.h"
#include "kernels/check.h"
#include "src/io/printable.h"

namespace gpuvae {
namespace {

constexpr const char* kCondition = "condition";

// Returns rows [x, code of the label]. A byte of 255 is a 1 after scaling.
template <class T>
Tensor with_codes(const Dataset& set, int classes, T one) {
  const std::int64_t columns = set.features(), width = columns + classes;
  const Tensor on_cpu = set.examples.to(Device::cpu());
  const T* from = on_cpu.data_as<T>();
  const Tensor rows = Tensor::empty({set.count(), width}, set.dtype());
  T* to = rows.data_as<T>();
  std::fill_n(to, rows.elements(), T(0));
  for (std::int64_t i = 0; i < set.count(); ++i, from += columns, to += width) {
    std::copy_n(from, columns, to);
    to[columns + set.labels[static_cast<std::size_t>(i)]] = one;
  }
  return rows.to(set.device());
}

template <class T>
Tensor with_order(const Tensor& examples, const std::vector<std::int64_t>& order) {
  const Tensor on_cpu = examples.to(Device::cpu());
  const std::int64_t count = examples.shape()[0], columns = examples.shape()[1];
  const Tensor rows = Tensor::empty({count, columns}, examples.dtype());
  const T* from = on_cpu.data_as<T>();
  T* to = rows.data_as<T>();
  for (std::int64_t i = 0; i < count; ++i, from += columns)
    for (const std::int64_t column : order) *to++ = from[column];
  return rows.to(examples.device());
}

void check_in_memory(const Dataset& set) {
  check(!set.source, kCondition, "expected examples in memory for a condition, got a source of examples");
}

template <class T>
void reorder(std::vector<T>& values, const std::vector<std::int64_t>& order) {
  if (values.empty()) return;
  std::vector<T> moved;
  for (const std::int64_t column : order) moved.push_back(values[static_cast<std::size_t>(column)]);
  values = std::move(moved);
}

}  // namespace

Dataset with_class_codes(const Dataset& set, int classes) {
  check(set.defined(), kCondition, "expected a data set, got none");
  check_in_memory(set);
  check(classes >= 1 && classes <= 256, kCondition, "expected 1 to 256 classes, got {}", classes);
  check(std::ssize(set.labels) == set.count(), kCondition,
        "expected a label for each of the {} examples as condition, got {} labels", set.count(),
        set.labels.size());
  for (const std::uint8_t label : set.labels)
    check(label < classes, kCondition, "expected labels from 0 to {}, got {}", classes - 1, label);
  Dataset result = set;
  result.examples = set.dtype() == DType::u8 ? with_codes<std::uint8_t>(set, classes, 255)
                                             : with_codes<float>(set, classes, 1);
  return result;
}

void move_columns_last(Split& split, std::span<const std::string> names) {
  DataDescription& d = split.description;
  check(!d.column_names.empty(), kCondition,
        "expected a table whose columns have names for conditions by name, got {}", split.source);
  std::vector<std::int64_t> order(d.column_names.size()), last;
  std::iota(order.begin(), order.end(), 0);
  for (const std::string& name : names) {
    const auto found = std::ranges::find(d.column_names, name);
    check(found != d.column_names.end(), kCondition, "expected a column of {} as condition, got {}",
          split.source, io::printable(name));
    const std::int64_t column = found - d.column_names.begin();
    check(std::ranges::find(last, column) == last.end(), kCondition,
          "expected each column once as condition, got {} twice", io::printable(name));
    std::erase(order, column);
    last.push_back(column);
  }
  check(!order.empty(), kCondition, "expected a column of {} that is not a condition, got none",
        split.source);
  order.insert(order.end(), last.begin(), last.end());
  for (Dataset* set : {&split.train, &split.test}) {
    if (!set->defined()) continue;
    check_in_memory(*set);
    set->examples = set->dtype() == DType::u8 ? with_order<std::uint8_t>(set->examples, order)
                                              : with_order<float>(set->examples, order);
  }
  reorder(d.column_names, order);
  reorder(d.standardization.mean, order);
  reorder(d.standardization.stddev, order);
  d.condition_columns = std::ssize(names);
}

}  // namespace gpuvae
