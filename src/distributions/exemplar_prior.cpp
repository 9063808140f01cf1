#include "gpuvae/exemplar_prior.h"

#include <algorithm>
#include <cmath>

#include "kernels/check.h"
#include "src/distributions/exemplar_slot.h"
#include "src/ops/match.h"

namespace gpuvae {
namespace {

constexpr std::uint64_t kSubsetSeed = 0x6578656d706c6172;  // "exemplar" in ASCII
constexpr std::int64_t kEncodedRows = 4096;                // rows that are encoded at a time

// Returns the exemplars with at most their number per step. Throws Error if they are unusable.
std::shared_ptr<const ExemplarSet> checked_set(const Dataset& examples, ExemplarOptions options) {
  check(examples.examples && !examples.source, "prior", "expected exemplars in memory, got {}",
        examples.defined() ? "a source of examples" : "none");
  check(examples.count() >= 2 && options.per_step >= 2, "prior",
        "expected 2 or more exemplars, in all and per step, got {} and {}", examples.count(),
        options.per_step);
  options.per_step = std::min(options.per_step, examples.count());
  return std::make_shared<ExemplarSet>(ExemplarSet{examples, options});
}

// The exemplars are those of `set` or, if there is a slot, those that the slot holds at the time of a call.
class ExemplarPrior final : public Prior {
 public:
  ExemplarPrior(std::shared_ptr<const ExemplarSet> set, std::shared_ptr<const ExemplarSlot> slot)
      : set_(std::move(set)), slot_(std::move(slot)) {}
  std::string name() const override {
    const std::shared_ptr<const ExemplarSet> set = slot_ ? slot_->get() : set_;
    return "exemplar prior with " + std::to_string(set ? set->examples.count() : 0) + " exemplars";
  }
  std::shared_ptr<Prior> clone() const override { return std::make_shared<ExemplarPrior>(set_, slot_); }

  void initialize(const ModelContext& c) override {
    check(static_cast<bool>(c.encode_mean), "prior",
          "expected a model context with encode_mean, got one without");
    if (set_) {
      check(set_->examples.features() == c.features, "prior", "expected exemplars of {} columns, got {}",
            c.features, set_->examples.features());
      set_ = std::make_shared<ExemplarSet>(ExemplarSet{set_->examples.to(c.device), set_->options});
    }
    encode_mean_ = c.encode_mean;
    latent_ = c.latent;
    log_variance_ = Variable(Tensor::zeros({1}, DType::f32, c.device), true);
  }
  void collect(std::vector<Parameter>& into) const override {
    into.push_back({"prior.log_variance", log_variance_, true});
  }

  Variable log_density(const Variable& z) const override {
    return density(z, means_ ? Variable(means_) : all_means(*exemplars()), {});
  }
  std::shared_ptr<const Prior> frozen() const override {
    auto prior = std::make_shared<ExemplarPrior>(*this);
    if (!means_) prior->means_ = all_means(*exemplars()).value();
    return prior;
  }

  // The exemplars of a step are those of one batch of a shuffled pass over all of them.
  Variable training_log_density(const Variable& z, const Draw& draw) const override {
    const std::shared_ptr<const ExemplarSet> set = exemplars();
    const std::int64_t per_step = set->options.per_step;
    const auto steps = static_cast<std::uint64_t>(set->examples.count() / per_step);
    BatchOptions data = set->options.data;
    data.shuffle = true;
    data.seed ^= kSubsetSeed;
    const Batch batch = gather_batch(set->examples, per_step,
                                     {.step = draw.noise.clock.step,
                                      .device_step = draw.noise.clock.device_step,
                                      .steps_per_epoch = steps},
                                     data, DType::f32, per_step);
    const Tensor& rows = draw.noise.samples;
    if (!rows) return density(z, encode_mean_(batch.x), {});
    // The draws of an example are consecutive rows of z.
    const std::int64_t draws = z.shape()[0] / std::max<std::int64_t>(rows.elements(), 1);
    check(draws > 0 && draws * rows.elements() == z.shape()[0], "prior",
          "expected the same number of draws for each of {} examples, got {} draws", rows.elements(),
          z.shape()[0]);
    return density(z, encode_mean_(batch.x), ops::match(rows, batch.samples, draws));
  }

  // Draws an exemplar, and then a code around its mean, on the host.
  Tensor sample(std::int64_t rows, std::int64_t latent, const Noise& noise, Device device) const override {
    const NoGradGuard no_grad;
    const std::shared_ptr<const ExemplarSet> set = exemplars();
    const std::int64_t count = set->examples.count();
    const std::vector<float> means = all_means(*set).value().to_vector();
    const double stddev = std::exp(0.5 * log_variance_.value().item());
    const std::vector<float> draws = random_normal({rows, latent + 1}, noise).to_vector();
    std::vector<float> z;
    for (std::int64_t r = 0; r < rows; ++r) {
      const float* normal = draws.data() + r * (latent + 1);
      const double u = 0.5 * std::erfc(-normal[0] / std::sqrt(2.0));
      const std::int64_t n = std::min(count - 1, static_cast<std::int64_t>(u * static_cast<double>(count)));
      for (std::int64_t d = 0; d < latent; ++d)
        z.push_back(means[static_cast<std::size_t>(n * latent + d)] +
                    static_cast<float>(stddev) * normal[1 + d]);
    }
    return Tensor::from(z, {rows, latent}, device);
  }

 private:
  std::shared_ptr<const ExemplarSet> exemplars() const {
    check(static_cast<bool>(encode_mean_), "prior",
          "expected an initialised exemplar prior, got one that no model owns");
    std::shared_ptr<const ExemplarSet> set = slot_ ? slot_->get() : set_;
    check(set != nullptr, "prior",
          "expected a model with its exemplars, the rows of its training set, got one without: train it, or "
          "set them (set_exemplars)");
    return set;
  }

  Variable density(const Variable& z, const Variable& means, const Tensor& left_out) const {
    const Variable variances = Tensor::zeros(means.shape(), DType::f32, means.device()) + log_variance_;
    return mixture_log_density(z, concat({means, variances}, Axis::columns), PosteriorScale::log_variance, {},
                               left_out);
  }

  // The means of all exemplars, without gradients.
  Variable all_means(const ExemplarSet& set) const {
    const NoGradGuard no_grad;
    const std::int64_t count = set.examples.count();
    const Tensor means = Tensor::empty({count, latent_}, DType::f32, set.examples.device());
    BatchOptions data = set.options.data;
    data.shuffle = false;
    const std::int64_t rows = std::min(kEncodedRows, count);
    const auto batches = static_cast<std::uint64_t>((count + rows - 1) / rows);
    for (std::uint64_t b = 0; b < batches; ++b) {
      const Tensor x = gather_batch(set.examples, rows, {.step = b, .steps_per_epoch = batches}, data).x;
      means.slice(static_cast<std::int64_t>(b) * rows, x.shape()[0]).copy_from(encode_mean_(x).value());
    }
    return means;
  }

  std::shared_ptr<const ExemplarSet> set_;
  std::shared_ptr<const ExemplarSlot> slot_;
  std::int64_t latent_ = 0;
  Variable log_variance_;
  std::function<Variable(const Variable&)> encode_mean_;
  Tensor means_;  // of all exemplars, in a frozen prior
};

}  // namespace

ExemplarSlot::ExemplarSlot(std::int64_t per_step) : per_step_(per_step) {
  check(per_step >= 2, "prior", "expected 2 or more exemplars per step, got {}", per_step);
}

void ExemplarSlot::set(const Dataset& examples, const BatchOptions& data) {
  std::shared_ptr<const ExemplarSet> set = checked_set(examples, {.per_step = per_step_, .data = data});
  const std::lock_guard lock(mutex_);
  set_ = std::move(set);
}

std::shared_ptr<const ExemplarSet> ExemplarSlot::get() const {
  const std::lock_guard lock(mutex_);
  return set_;
}

std::shared_ptr<Prior> exemplar_prior(const Dataset& exemplars, const ExemplarOptions& options) {
  return std::make_shared<ExemplarPrior>(checked_set(exemplars, options), nullptr);
}

std::shared_ptr<Prior> exemplar_prior(std::shared_ptr<const ExemplarSlot> slot) {
  return std::make_shared<ExemplarPrior>(nullptr, std::move(slot));
}

}  // namespace gpuvae
