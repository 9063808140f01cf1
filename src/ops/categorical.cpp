// Categorical variables, each a group of one-hot columns.
#include "src/ops/op.h"

namespace gpuvae {

ColumnGroups::ColumnGroups(std::span<const std::int64_t> sizes, Device device) {
  check(!sizes.empty(), "column_groups", "expected the sizes of at least one group, got none");
  std::vector<std::int32_t> starts = {0};
  for (const std::int64_t size : sizes) {
    check(size >= 1 && size <= INT32_MAX - starts.back(), "column_groups",
          "expected groups of 1 or more columns, fewer than 2^31 in total, got one of {}", size);
    starts.push_back(starts.back() + static_cast<std::int32_t>(size));
  }
  columns_ = starts.back();
  starts_ = Tensor::from(starts, {static_cast<std::int64_t>(starts.size())}, device);
}

namespace {

using namespace ops;

// Checks the arguments and returns the number of rows of logits per row of the target.
std::int64_t checked_categories(const char* name, const Variable& logits, const Variable& target,
                                const ColumnGroups& groups) {
  check_defined(name, logits, "logits");
  check_defined(name, target, "a target");
  check_real(name, logits);
  check_like(name, target, logits);
  check(!target.requires_grad(), name, "expected a constant target, got one that requires gradients");
  check(groups.starts().device() == logits.device(), name, "expected groups on {} like the logits, got {}",
        logits.device(), groups.starts().device());
  const Shape &shape = logits.shape(), &given = target.shape();
  check(shape.rank() == 2 && shape[1] == groups.columns(), name,
        "expected logits of [rows, {}], the columns of all groups, got {}", groups.columns(), shape);
  check(given.rank() == 2 && given[1] == shape[1] &&
            (given[0] > 0 ? shape[0] % given[0] == 0 && shape[0] > 0 : shape[0] == 0),
        name, "expected a target of [{} / n, {}], got {}", shape[0], shape[1], given);
  return given[0] > 0 ? shape[0] / given[0] : 1;
}

Variable categorical(const char* name, const Variable& logits, const Variable& target,
                     const ColumnGroups& groups) {
  kernels::CategoricalArgs args{.dtype = logits.dtype(), .rows = logits.shape()[0]};
  args.columns = logits.shape()[1];
  args.groups = groups.starts().shape()[0] - 1;
  args.repeats = checked_categories(name, logits, target, groups);
  args.starts = groups.starts().data_as<std::int32_t>();
  Tensor out = Tensor::empty({args.rows, 1}, logits.dtype(), logits.device());
  args.logits = logits.value().data();
  args.target = target.value().data();
  args.out = out.data();
  backend(out).categorical(args, stream(out));
  return record(
      name, {&logits}, std::move(out),
      [=, kept_logits = Saved(name, logits.value()), kept_target = Saved(name, target.value()),
       kept_starts = groups.starts()](BackwardContext& context) {
        const Tensor& logits = kept_logits.get();
        kept_target.get();
        const Tensor d_rows = context.gradient_tensor();
        Tensor d_logits = empty_like(logits);
        backend(logits).categorical_backward({args, d_rows.data(), d_logits.data()}, stream(logits));
        context.add(0, std::move(d_logits));
      });
}

}  // namespace

Variable categorical_nll(const Variable& logits, const Variable& target, const ColumnGroups& groups,
                         double weight) {
  check(checked_categories("categorical_nll", logits, target, groups) == 1, "categorical_nll",
        "expected a target of {}, got {}", logits.shape(), target.shape());
  return -weight * sum(categorical("categorical_nll", logits, target, groups));
}
Variable categorical_log_density(const Variable& logits, const Variable& target, const ColumnGroups& groups) {
  checked_categories("categorical_log_density", logits, target, groups);
  return categorical("categorical_log_density", logits, target, groups);
}

namespace unfused {
namespace {

// Returns the log density per row, group by group.
Variable categories_by_group(const char* name, const Variable& logits, const Variable& target,
                             const ColumnGroups& groups) {
  const std::int64_t n = checked_categories(name, logits, target, groups);
  const Variable x = n == 1 ? target : Variable(repeat_rows(target.value(), n));
  const Tensor host = groups.starts().to(Device::cpu());
  const auto* starts = host.data_as<std::int32_t>();
  Variable total;
  for (std::int64_t i = 0; i + 1 < host.elements(); ++i) {
    const std::int64_t first = starts[i], size = starts[i + 1] - first;
    const Variable l = columns(logits, first, size), chosen = columns(x, first, size);
    const Variable term =
        sum(chosen * l, Axis::columns) - sum(chosen, Axis::columns) * log_sum_exp(l, Axis::columns);
    total = total ? total + term : term;
  }
  return total;
}

}  // namespace

Variable categorical_nll(const Variable& logits, const Variable& target, const ColumnGroups& groups,
                         double weight) {
  return -weight * sum(categories_by_group("categorical_nll", logits, target, groups));
}
Variable categorical_log_density(const Variable& logits, const Variable& target, const ColumnGroups& groups) {
  return categories_by_group("categorical_log_density", logits, target, groups);
}

}  // namespace unfused
}  // namespace gpuvae
