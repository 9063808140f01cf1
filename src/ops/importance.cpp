// Objectives of several draws per row: the ELBO, importance-weighted bounds, and their mixtures. Value and
// gradient are computed in one pass.
#include <cmath>

#include "src/ops/op.h"

namespace gpuvae {
namespace {

using namespace ops;

constexpr const char* kImportanceName = "importance_weighted_loss";

// Checks the arguments and returns the number of rows.
std::int64_t check_importance(const Variable& log_likelihood, const Variable& log_ratio,
                              const ImportanceOptions& o) {
  check_defined(kImportanceName, log_likelihood, "log_likelihood");
  check_real(kImportanceName, log_likelihood);
  check(o.samples > 0 && o.groups > 0, kImportanceName,
        "expected 1 or more samples and groups, got {} and {}", o.samples, o.groups);
  check(o.elbo_share >= 0 && o.elbo_share <= 1, kImportanceName, "expected an elbo_share in [0, 1], got {}",
        o.elbo_share);
  const Shape& shape = log_likelihood.shape();
  const std::int64_t draws = o.samples * o.groups;
  check(shape.rank() == 2 && shape[1] == 1 && shape[0] % draws == 0, kImportanceName,
        "expected log_likelihood of [rows * {}, 1], got {}", draws, shape);
  if (log_ratio) {
    check_like(kImportanceName, log_ratio, log_likelihood);
    check(log_ratio.shape() == shape, kImportanceName, "expected log_ratio of {}, got {}", shape,
          log_ratio.shape());
  }
  if (o.device_kl_weight) {
    check_like(kImportanceName, o.device_kl_weight, log_likelihood);
    check(o.device_kl_weight.elements() == 1, kImportanceName, "expected one device_kl_weight, got {}",
          o.device_kl_weight);
  }
  return shape[0] / draws;
}

}  // namespace

ImportanceLoss importance_weighted_loss(const Variable& log_likelihood, const Variable& log_ratio,
                                        const ImportanceOptions& options) {
  const std::int64_t rows = check_importance(log_likelihood, log_ratio, options);
  const Tensor& x = log_likelihood.value();
  kernels::ImportanceArgs args{.dtype = x.dtype(), .rows = rows, .groups = options.groups};
  args.samples = options.samples;
  args.elbo_share = options.elbo_share;
  args.weight = options.weight;
  args.kl_weight = options.kl_weight;
  args.device_kl_weight = options.device_kl_weight ? options.device_kl_weight.data() : nullptr;
  args.log_likelihood = x.data();
  args.log_ratio = log_ratio ? log_ratio.value().data() : nullptr;
  Tensor loss = scalar_like(x), reconstruction = scalar_like(x), kl = scalar_like(x);
  ImportanceLoss result;
  result.bounds = Tensor::empty({rows, 1}, x.dtype(), x.device());
  result.effective_samples = Tensor::empty({rows, 1}, x.dtype(), x.device());
  args.loss = loss.data();
  args.reconstruction = reconstruction.data();
  args.kl = kl.data();
  args.bounds = result.bounds.data();
  args.effective_samples = result.effective_samples.data();
  Tensor d_log_likelihood, d_log_ratio, row_terms;
  if (GraphAccess::needs_gradient({&log_likelihood, &log_ratio})) {
    d_log_likelihood = empty_like(x);
    args.d_log_likelihood = d_log_likelihood.data();
    if (log_ratio) {
      d_log_ratio = empty_like(x);
      args.d_log_ratio = d_log_ratio.data();
    }
  }
  if (!x.device().is_cpu()) {
    row_terms = Tensor::empty({rows, 3}, DType::f64, x.device());
    args.row_terms = row_terms.data_as<double>();
  }
  backend(x).importance(args, stream(x));
  result.reconstruction = reconstruction;
  result.kl = kl;
  // The backward pass frees the gradients unless the graph is kept.
  result.loss = record(kImportanceName, {&log_likelihood, &log_ratio}, std::move(loss),
                       [d_log_likelihood, d_log_ratio](BackwardContext& context) mutable {
                         if (context.needs(0)) add_scaled(context, 0, d_log_likelihood);
                         if (context.needs(1)) add_scaled(context, 1, d_log_ratio);
                         if (context.retains_graph()) return;
                         d_log_likelihood = Tensor();
                         d_log_ratio = Tensor();
                       });
  return result;
}

namespace unfused {

ImportanceLoss importance_weighted_loss(const Variable& log_likelihood, const Variable& log_ratio,
                                        const ImportanceOptions& o) {
  const std::int64_t rows = check_importance(log_likelihood, log_ratio, o), draws = o.samples * o.groups;
  const Variable ratio = log_ratio ? log_ratio : 0 * log_likelihood.detach();
  Variable weighted = o.kl_weight * ratio;
  if (o.device_kl_weight) weighted = weighted * o.device_kl_weight;
  const Variable log_w = log_likelihood + weighted;
  const Variable elbo = mean(reshape(log_w, {rows, draws}), Axis::columns);
  const Variable sums = log_sum_exp(reshape(log_w, {rows * o.groups, o.samples}), Axis::columns);
  const Variable of_groups = mean(reshape(sums, {rows, o.groups}), Axis::columns);
  Variable bounds = of_groups - std::log(static_cast<double>(o.samples));
  if (o.elbo_share == 1) bounds = elbo;
  if (o.elbo_share > 0 && o.elbo_share < 1) bounds = o.elbo_share * elbo + (1 - o.elbo_share) * bounds;
  ImportanceLoss result;
  result.loss = -o.weight * sum(bounds);
  const NoGradGuard no_grad;
  const double of_draws = -o.weight / static_cast<double>(draws);
  result.reconstruction = of_draws * sum(log_likelihood.detach());
  result.kl = of_draws * sum(ratio.detach());
  result.bounds = bounds.value();
  const Variable shares = softmax(reshape(log_w.detach(), {rows, draws}), Axis::columns);
  result.effective_samples = reciprocal(sum(square(shares), Axis::columns)).value();
  return result;
}

}  // namespace unfused
}  // namespace gpuvae
