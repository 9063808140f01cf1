// Combines the log weights of several draws per row into an objective, with its gradient.
#include <cmath>
#include <limits>

#include "kernels/cpu/backend.h"
#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/simd/simd.h"
#include "kernels/math/importance.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/ops/importance.cpp"
#include "hwy/foreach_target.h"
#include "kernels/cpu/simd/simd_loop-inl.h"
#include "kernels/cpu/simd/simd_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gpuvae::kernels::HWY_NAMESPACE {

// The number of draws from which multithreading pays off: each needs two exponentials.
constexpr std::int64_t kImportanceGrain = 3000;

// The sums of weights exp(log w) and of their squares, relative to exp(shift).
struct WeightSums {
  double shift = 0, sum = 0, squares = 0;

  // Adds the sums of another group.
  void add(const WeightSums& other) {
    if (other.sum == 0) return;
    if (sum == 0) {
      *this = other;
      return;
    }
    const double higher = std::fmax(shift, other.shift);
    const double own = std::exp(shift - higher), others = std::exp(other.shift - higher);
    *this = {higher, sum * own + other.sum * others, squares * own * own + other.squares * others * others};
  }
};

// The log weights of a group of draws, beginning at draw `first` of all rows.
template <class T>
struct Draws {
  using V = hn::Vec<hn::ScalableTag<T>>;
  const T* log_likelihood;
  const T* log_ratio;  // or null
  V kl_weight;

  template <class Access>
  HWY_INLINE V ratio(Access access, std::int64_t i) const {
    return log_ratio ? access.load(log_ratio + i) : hn::Zero(access.d);
  }
  template <class Access>
  HWY_INLINE V log_weight(Access access, std::int64_t i) const {
    return hn::MulAdd(kl_weight, ratio(access, i), access.load(log_likelihood + i));
  }
};

// Returns the number that is subtracted from the log weights before the exponential: the largest of them, or
// 0 if that is infinite. NaN may be ignored here, because the sum of exponentials includes it.
template <class T>
HWY_INLINE T weight_shift(const Draws<T>& draws, std::int64_t begin, std::int64_t end) {
  using V = hn::Vec<hn::ScalableTag<T>>;
  const V lowest = constant<V>(-std::numeric_limits<double>::infinity());
  V largest = lowest;
  each_vector<T>(begin, end, [&](auto access, std::int64_t i) HWY_ATTR {
    largest = hn::Max(largest, access.keep(draws.log_weight(access, i), lowest));
  });
  const T most = hn::GetLane(hn::MaxOfLanes(hn::ScalableTag<T>(), largest));
  return std::isinf(most) ? T(0) : most;
}

// The terms of a row, or their sums over rows.
struct RowTerms {
  double bound = 0, log_likelihood = 0, log_ratio = 0;
};

// Adds the means over the draws to `terms` and returns the sums of the group's weights.
template <class T>
HWY_INLINE WeightSums add_group(const Draws<T>& draws, std::int64_t begin, std::int64_t end,
                                double& log_weights, RowTerms& terms) {
  const T shift = weight_shift(draws, begin, end);
  Sum<T> sum, squares, logs, likelihoods, ratios;
  each_vector<T>(begin, end, [&](auto access, std::int64_t i) HWY_ATTR {
    const auto log_weight = draws.log_weight(access, i);
    const auto w = HWY_NAMESPACE::exp(hn::Sub(log_weight, hn::Set(access.d, shift)));
    sum.add(access.keep(w));
    squares.add(access.keep(hn::Mul(w, w)));
    logs.add(access.keep(log_weight));
    likelihoods.add(access.keep(access.load(draws.log_likelihood + i)));
    ratios.add(access.keep(draws.ratio(access, i)));
  });
  log_weights += logs.total();
  terms.log_likelihood += likelihoods.total();
  terms.log_ratio += ratios.total();
  return {static_cast<double>(shift), sum.total(), squares.total()};
}

// Writes the gradients of the draws of a group: elbo_part + iwae_part exp(log w - shift) times -weight.
template <class T>
struct GradientParts {
  T elbo_part, iwae_part, shift, weight, kl_weight;
};
template <class T>
HWY_INLINE void write_gradients(const Draws<T>& draws, std::int64_t begin, std::int64_t end,
                                const GradientParts<T>& c, T* d_log_likelihood, T* d_log_ratio) {
  each_vector<T>(begin, end, [&](auto access, std::int64_t i) HWY_ATTR {
    const auto d = access.d;
    auto coefficient = hn::Set(d, c.elbo_part);
    if (c.iwae_part != 0) {
      auto share = HWY_NAMESPACE::exp(hn::Sub(draws.log_weight(access, i), hn::Set(d, c.shift)));
      if constexpr (sizeof(T) == 4)
        share = hn::IfThenZeroElse(hn::Lt(share, hn::Set(d, static_cast<T>(math::kLeastShare))), share);
      coefficient = hn::MulAdd(hn::Set(d, c.iwae_part), share, coefficient);
    }
    const auto slope = hn::Mul(hn::Set(d, -c.weight), coefficient);
    access.store(slope, d_log_likelihood + i);
    if (d_log_ratio) access.store(hn::Mul(hn::Set(d, c.kl_weight), slope), d_log_ratio + i);
  });
}

template <class T>
struct Importance {
  using V = hn::Vec<hn::ScalableTag<T>>;
  const ImportanceArgs& g;
  std::int64_t draws;
  T kl_weight, weight;
  double iwae_share;

  explicit Importance(const ImportanceArgs& args)
      : g(args),
        draws(args.groups * args.samples),
        kl_weight(static_cast<T>(args.kl_weight) * value_or<T>(args.device_kl_weight, 1)),
        weight(static_cast<T>(args.weight)),
        iwae_share(1 - args.elbo_share) {}

  HWY_INLINE void gradients(const Draws<T>& of_row, std::int64_t row, std::int64_t begin,
                            const WeightSums& group) const {
    if (!g.d_log_likelihood) return;
    const double part = group.sum == 0 ? 0 : iwae_share / (static_cast<double>(g.groups) * group.sum);
    const T elbo_part = static_cast<T>(g.elbo_share / static_cast<double>(draws));
    const T kl = kl_weight == 0 ? static_cast<T>(kTinyKlWeight) : kl_weight;
    write_gradients<T>(of_row, begin, begin + g.samples,
                       {elbo_part, static_cast<T>(part), static_cast<T>(group.shift), weight, kl},
                       as<T>(g.d_log_likelihood) + row * draws,
                       g.d_log_ratio ? as<T>(g.d_log_ratio) + row * draws : nullptr);
  }
  HWY_INLINE RowTerms row(std::int64_t at) const {
    const Draws<T> of_row{as<T>(g.log_likelihood) + at * draws,
                          g.log_ratio ? as<T>(g.log_ratio) + at * draws : nullptr,
                          hn::Set(hn::ScalableTag<T>(), kl_weight)};
    RowTerms terms;
    WeightSums all;
    double log_weights = 0, log_means = 0;
    for (std::int64_t begin = 0; begin < draws; begin += g.samples) {
      const WeightSums group = add_group(of_row, begin, begin + g.samples, log_weights, terms);
      log_means += group.shift + std::log(group.sum) - std::log(static_cast<double>(g.samples));
      all.add(group);
      gradients(of_row, at, begin, group);
    }
    const auto count = static_cast<double>(draws);
    if (g.elbo_share != 0) terms.bound += g.elbo_share * (log_weights / count);
    if (iwae_share != 0) terms.bound += iwae_share * (log_means / static_cast<double>(g.groups));
    terms.log_likelihood /= count;
    terms.log_ratio /= count;
    as<T>(g.bounds)[at] = static_cast<T>(terms.bound);
    as<T>(g.effective_samples)[at] = static_cast<T>(all.sum == 0 ? 0 : all.sum / all.squares * all.sum);
    return terms;
  }
};

template <class T>
void importance_of(const ImportanceArgs& g) {
  const Importance<T> importance(g);
  const Chunks chunks = Chunks::of_rows(g.rows, 4 * importance.draws);
  std::array<RowTerms, Chunks::kLargest> partial;
  parallel_for(chunks.count(), g.rows * importance.draws >= kImportanceGrain,
               [&](std::int64_t chunk) HWY_ATTR {
                 RowTerms sum;
                 for (std::int64_t row = chunks.begin(chunk); row < chunks.end(chunk); ++row) {
                   const RowTerms terms = importance.row(row);
                   sum.bound += terms.bound;
                   sum.log_likelihood += terms.log_likelihood;
                   sum.log_ratio += terms.log_ratio;
                 }
                 partial[static_cast<std::size_t>(chunk)] = sum;
               });
  RowTerms total;
  for (std::int64_t chunk = 0; chunk < chunks.count(); ++chunk) {
    const RowTerms& part = partial[static_cast<std::size_t>(chunk)];
    total.bound += part.bound;
    total.log_likelihood += part.log_likelihood;
    total.log_ratio += part.log_ratio;
  }
  *as<T>(g.loss) = static_cast<T>(-g.weight * total.bound);
  *as<T>(g.reconstruction) = static_cast<T>(-g.weight * total.log_likelihood);
  *as<T>(g.kl) = static_cast<T>(-g.weight * total.log_ratio);
}

void CombineDraws(const ImportanceArgs& g) {
  with_float(g.dtype, "importance", [&](auto type) { importance_of<decltype(type)>(g); });
}

}  // namespace gpuvae::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gpuvae::kernels {
HWY_EXPORT(CombineDraws);
void CpuBackend::run(const ImportanceArgs& g, StreamHandle) { HWY_DYNAMIC_DISPATCH(CombineDraws)(g); }
}  // namespace gpuvae::kernels
#endif
