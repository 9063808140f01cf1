#include "gpuvae/exemplar_prior.h"

#include <algorithm>
#include <cmath>

#include "kernels/check.h"
#include "src/ops/match.h"

namespace gpuvae {
namespace {

constexpr std::uint64_t kSubsetSeed = 0x6578656d706c6172;  // "exemplar" in ASCII
constexpr std::int64_t kEncodedRows = 4096;                // rows that are encoded at a time

class ExemplarPrior final : public Prior {
 public:
  ExemplarPrior(Dataset exemplars, const ExemplarOptions& options)
      : exemplars_(std::move(exemplars)), options_(options) {
    check(exemplars_.examples && !exemplars_.source, "prior", "expected exemplars in memory, got {}",
          exemplars_.defined() ? "a source of examples" : "none");
    check(exemplars_.count() >= 2 && options_.per_step >= 2, "prior",
          "expected 2 or more exemplars, in all and per step, got {} and {}", exemplars_.count(),
          options_.per_step);
    options_.per_step = std::min(options_.per_step, exemplars_.count());
  }
  std::string name() const override {
    return "exemplar prior with " + std::to_string(exemplars_.count()) + " exemplars";
  }
  std::shared_ptr<Prior> clone() const override {
    return std::make_shared<ExemplarPrior>(exemplars_, options_);
  }

  void initialize(const ModelContext& c) override {
    check(static_cast<bool>(c.encode_mean), "prior",
          "expected a model context with encode_mean, got one without");
    check(exemplars_.features() == c.features, "prior", "expected exemplars of {} columns, got {}",
          c.features, exemplars_.features());
    encode_mean_ = c.encode_mean;
    latent_ = c.latent;
    exemplars_ = exemplars_.to(c.device);
    log_variance_ = Variable(Tensor::zeros({1}, DType::f32, c.device), true);
  }
  void collect(std::vector<Parameter>& into) const override {
    into.push_back({"prior.log_variance", log_variance_, true});
  }

  Variable log_density(const Variable& z) const override { return density(z, all_means(), {}); }
  std::shared_ptr<const Prior> frozen() const override {
    auto prior = std::make_shared<ExemplarPrior>(*this);
    prior->means_ = all_means().value();
    return prior;
  }

  // The exemplars of a step are those of one batch of a shuffled pass over all of them.
  Variable training_log_density(const Variable& z, const Draw& draw) const override {
    check_initialised();
    const auto steps = static_cast<std::uint64_t>(exemplars_.count() / options_.per_step);
    BatchOptions data = options_.data;
    data.shuffle = true;
    data.seed ^= kSubsetSeed;
    const Batch batch = gather_batch(exemplars_, options_.per_step,
                                     {.step = draw.noise.clock.step,
                                      .device_step = draw.noise.clock.device_step,
                                      .steps_per_epoch = steps},
                                     data, DType::f32, options_.per_step);
    const Tensor& rows = draw.noise.samples;
    check(!rows || rows.elements() == z.shape()[0], "prior",
          "expected one draw per example with an exemplar prior, got {} for {}", z.shape()[0],
          rows.elements());
    const Tensor left_out = rows ? ops::match(rows, batch.samples) : Tensor();
    return density(z, encode_mean_(batch.x), left_out);
  }

  // Draws an exemplar, and then a code around its mean, on the host.
  Tensor sample(std::int64_t rows, std::int64_t latent, const Noise& noise, Device device) const override {
    const NoGradGuard no_grad;
    const std::vector<float> means = all_means().value().to_vector();
    const double stddev = std::exp(0.5 * log_variance_.value().item());
    const std::vector<float> draws = random_normal({rows, latent + 1}, noise).to_vector();
    std::vector<float> z;
    for (std::int64_t r = 0; r < rows; ++r) {
      const float* normal = draws.data() + r * (latent + 1);
      const double u = 0.5 * std::erfc(-normal[0] / std::sqrt(2.0));
      const std::int64_t n = std::min(exemplars_.count() - 1,
                                      static_cast<std::int64_t>(u * static_cast<double>(exemplars_.count())));
      for (std::int64_t d = 0; d < latent; ++d)
        z.push_back(means[static_cast<std::size_t>(n * latent + d)] +
                    static_cast<float>(stddev) * normal[1 + d]);
    }
    return Tensor::from(z, {rows, latent}, device);
  }

 private:
  void check_initialised() const {
    check(static_cast<bool>(encode_mean_), "prior",
          "expected an initialised exemplar prior, got one that no model owns");
  }

  Variable density(const Variable& z, const Variable& means, const Tensor& left_out) const {
    const Variable variances = Tensor::zeros(means.shape(), DType::f32, means.device()) + log_variance_;
    return mixture_log_density(z, concat({means, variances}, Axis::columns), PosteriorScale::log_variance, {},
                               left_out);
  }

  // The means of all exemplars, without gradients.
  Variable all_means() const {
    if (means_) return means_;
    check_initialised();
    const NoGradGuard no_grad;
    const Tensor means = Tensor::empty({exemplars_.count(), latent_}, DType::f32, exemplars_.device());
    BatchOptions data = options_.data;
    data.shuffle = false;
    const std::int64_t rows = std::min(kEncodedRows, exemplars_.count());
    const auto batches = static_cast<std::uint64_t>((exemplars_.count() + rows - 1) / rows);
    for (std::uint64_t b = 0; b < batches; ++b) {
      const Tensor x = gather_batch(exemplars_, rows, {.step = b, .steps_per_epoch = batches}, data).x;
      means.slice(static_cast<std::int64_t>(b) * rows, x.shape()[0]).copy_from(encode_mean_(x).value());
    }
    return means;
  }

  Dataset exemplars_;
  ExemplarOptions options_;
  std::int64_t latent_ = 0;
  Variable log_variance_;
  std::function<Variable(const Variable&)> encode_mean_;
  Tensor means_;  // of all exemplars, in a frozen prior
};

}  // namespace

std::shared_ptr<Prior> exemplar_prior(const Dataset& exemplars, const ExemplarOptions& options) {
  return std::make_shared<ExemplarPrior>(exemplars, options);
}

}  // namespace gpuvae
