#include "gpuvae/average.h"

#include <cmath>

#include "kernels/backend.h"
#include "kernels/check.h"
#include "kernels/enumerators.h"
#include "src/core/random.h"

namespace gpuvae {
namespace {

void check_average_options(const AverageOptions& o) {
  check_enumerator("average", "form", o.form);
  check(o.decay >= 0 && o.decay < 1, "average", "expected a decay in [0, 1), got {}", o.decay);
}

}  // namespace

WeightAverage::WeightAverage(const Optimizer& optimizer, const AverageOptions& options)
    : options_(options), weights_(optimizer.values()) {
  check_average_options(options);
  check(static_cast<bool>(weights_), "average",
        "expected an optimiser with parameters, got one that was moved from");
  values_ = options.form == AverageForm::zero
                ? Tensor::zeros(weights_.shape(), weights_.dtype(), weights_.device())
                : weights_.clone();
}

void WeightAverage::update(const Clock& updates, const Tensor& gradient_scale) {
  const Device device = values_.device();
  check(!gradient_scale || (gradient_scale.dtype() == values_.dtype() && gradient_scale.elements() == 1 &&
                            gradient_scale.device() == device),
        "average", "expected a gradient scale of one f32 element on {}, got {}", device, gradient_scale);
  kernels::AverageArgs args{.form = options_.form, .size = values_.elements(), .decay = options_.decay};
  args.clock = kernel_clock("average", updates, device);
  args.parameters = weights_.data();
  args.average = values_.data();
  if (gradient_scale) args.gradient_scale = gradient_scale.data();
  device.backend().average(args, Stream::current(device).handle());
  values_.increment_version();
}

void WeightAverage::restore(const Tensor& values) { values_.copy_from(values); }

namespace unfused {

void average(const AverageOptions& options, std::uint64_t update, const Tensor& weights,
             const Tensor& average) {
  check_average_options(options);
  check(weights && average && weights.shape() == average.shape() && weights.dtype() == average.dtype() &&
            weights.device() == average.device(),
        "average", "expected weights like the average {}, got {}", average, weights);
  const double keep = math::average_keep(options.form, options.decay, std::log(options.decay), update);
  kernels::Backend& backend = average.device().backend();
  const kernels::StreamHandle stream = Stream::current(average.device()).handle();
  const auto scaled = [&](const Tensor& x, double factor, const Tensor& to) {
    backend.unary({.dtype = x.dtype(),
                   .operation = kernels::Unary::affine,
                   .size = x.elements(),
                   .a = factor,
                   .b = 0,
                   .x = x.data(),
                   .y = to.data()},
                  stream);
  };
  const Tensor part = Tensor::empty(weights.shape(), weights.dtype(), weights.device());
  scaled(weights, 1 - keep, part);
  scaled(average, keep, average);
  kernels::AxpbyArgs add{.dtype = average.dtype(), .size = average.elements(), .alpha = 1, .beta = 1};
  add.x = part.data();
  add.y = average.data();
  backend.axpby(add, stream);
  average.increment_version();
}

}  // namespace unfused
}  // namespace gpuvae
