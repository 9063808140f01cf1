// Inference with models of the C interface.
#include <algorithm>
#include <cmath>
#include <span>

#include "gpuvae/autograd.h"
#include "src/c/records.h"
#include "src/c/status.h"
#include "src/c/structs.h"

namespace gpuvae::c {
namespace {

// Calls use(first, count) for batches of rows of the size that the evaluation of the C++ interface uses.
template <class Use>
void for_row_batches(std::int64_t rows, const Vae& vae, const Use& use) {
  const std::int64_t batch = vae.device().is_cpu() ? 1000 : 16384;
  for (std::int64_t first = 0; first < rows; first += batch) use(first, std::min(batch, rows - first));
}

Dataset examples_on_device(const gpuvae_array* x, const ModelRecord& model, Binarize binarize,
                           const char* operation) {
  return examples_of(x, model.rules, binarize, operation).to(model.vae.device());
}

void encode(const gpuvae_model* handle, const gpuvae_array* x, const gpuvae_array* z, std::uint64_t seed,
            bool sample, const char* operation) {
  const auto model = model_of(handle, operation);
  const Dataset examples = examples_on_device(x, *model, Binarize::none, operation);
  check_output(z, examples.count(), model->vae.options().latent, "codes", operation);
  write_rows(*z, 0, encode_all(model->vae, examples, {.seed = seed}, sample).to_vector());
}

// Decodes codes on the CPU and writes the means.
void decode_to(const gpuvae_array& x, const ModelRecord& model, const Tensor& codes) {
  const NoGradGuard no_grad;
  for_row_batches(codes.shape()[0], model.vae, [&](std::int64_t first, std::int64_t count) {
    const Variable z = codes.slice(first, count).to(model.vae.device());
    write_examples(x, first, model.vae.decode_mean(z).value().to_vector(), model.rules);
  });
}

// The number of rows of the outputs that are not null.
std::int64_t output_rows(std::span<const gpuvae_array* const> outputs, const char* operation) {
  std::int64_t rows = 0;
  for (const gpuvae_array* output : outputs) {
    if (!output) continue;
    check(rows == 0 || output->rows == rows, operation,
          "expected arrays with the same number of rows, got {} and {}", rows, output->rows);
    rows = output->rows;
  }
  check(rows != 0, operation, "expected an array for z, mean or x with 1 or more rows, got none");
  return rows;
}

// Values far outside the training data can have a density that f32 cannot hold.
void require_finite(double nats, const char* operation) {
  check(std::isfinite(nats), Origin(operation, ErrorKind::not_finite),
        "expected examples with a finite likelihood, got {} nats: compare their values with those of the "
        "training data",
        nats);
}

}  // namespace
}  // namespace gpuvae::c

using namespace gpuvae::c;

extern "C" {

gpuvae_status gpuvae_encode(const gpuvae_model* model, const gpuvae_array* x, const gpuvae_array* z) {
  return guarded("gpuvae_encode", [&] { encode(model, x, z, 0, false, "gpuvae_encode"); });
}

gpuvae_status gpuvae_encode_sample(const gpuvae_model* model, const gpuvae_array* x, uint64_t seed,
                                   const gpuvae_array* z) {
  return guarded("gpuvae_encode_sample", [&] { encode(model, x, z, seed, true, "gpuvae_encode_sample"); });
}

gpuvae_status gpuvae_decode(const gpuvae_model* model, const gpuvae_array* z, const gpuvae_array* x) {
  constexpr const char* kName = "gpuvae_decode";
  return guarded(kName, [&] {
    const auto record = model_of(model, kName);
    const gpuvae::Tensor codes = codes_of(z, record->vae.options().latent, kName);
    check_output(x, codes.shape()[0], record->vae.options().features, "decoded examples", kName);
    decode_to(*x, *record, codes);
  });
}

gpuvae_status gpuvae_reconstruct(const gpuvae_model* model, const gpuvae_array* x,
                                 const gpuvae_array* reconstruction) {
  constexpr const char* kName = "gpuvae_reconstruct";
  return guarded(kName, [&] {
    const auto record = model_of(model, kName);
    const gpuvae::Dataset examples = examples_on_device(x, *record, gpuvae::Binarize::none, kName);
    check_output(reconstruction, examples.count(), examples.features(), "reconstructions", kName);
    write_examples(*reconstruction, 0, gpuvae::reconstruct_all(record->vae, examples, {}).to_vector(),
                   record->rules);
  });
}

gpuvae_status gpuvae_sample(const gpuvae_model* model, uint64_t seed, const gpuvae_array* z,
                            const gpuvae_array* mean, const gpuvae_array* x) {
  constexpr const char* kName = "gpuvae_sample";
  return guarded(kName, [&] {
    const auto record = model_of(model, kName);
    const gpuvae::VaeOptions& options = record->vae.options();
    const gpuvae_array* const outputs[] = {z, mean, x};
    const std::int64_t rows = output_rows(outputs, kName);
    if (z) check_output(z, rows, options.latent, "codes", kName);
    if (mean) check_output(mean, rows, options.features, "means", kName);
    if (x) check_output(x, rows, options.features, "draws", kName);
    const gpuvae::Vae::Generated draws = record->vae.sample_prior(rows, seed);
    if (z) write_rows(*z, 0, draws.z.to_vector());
    if (mean) write_examples(*mean, 0, draws.mean.to_vector(), record->rules);
    if (x) write_examples(*x, 0, draws.x.to_vector(), record->rules);
  });
}

gpuvae_status gpuvae_evaluate_options_init(gpuvae_evaluate_options* options, size_t struct_size) {
  constexpr const char* kName = "gpuvae_evaluate_options_init";
  return guarded(kName, [&] { init_struct(options, struct_size, default_evaluate_options(), kName); });
}

gpuvae_status gpuvae_log_likelihood(const gpuvae_model* model, const gpuvae_array* x,
                                    const gpuvae_evaluate_options* options, gpuvae_likelihood* result) {
  constexpr const char* kName = "gpuvae_log_likelihood";
  return guarded(kName, [&] {
    check_result(result, kName);
    const auto record = model_of(model, kName);
    const EvaluationSettings settings = evaluation_settings(options, kName);
    const gpuvae::Dataset examples = examples_on_device(x, *record, settings.evaluation.data.binarize, kName);
    const gpuvae::ImportanceEstimate estimate =
        gpuvae::importance_weighted_nll(record->vae, examples, settings.samples, settings.evaluation);
    require_finite(estimate.nll, kName);
    *result = {-estimate.nll, estimate.standard_error, estimate.effective_samples};
  });
}

gpuvae_status gpuvae_evaluate_elbo(const gpuvae_model* model, const gpuvae_array* x,
                                   const gpuvae_evaluate_options* options, gpuvae_losses* losses) {
  constexpr const char* kName = "gpuvae_evaluate_elbo";
  return guarded(kName, [&] {
    check_result(losses, kName);
    const auto record = model_of(model, kName);
    const EvaluationSettings settings = evaluation_settings(options, kName);
    const gpuvae::Dataset examples = examples_on_device(x, *record, settings.evaluation.data.binarize, kName);
    const gpuvae::Losses of_model = gpuvae::evaluate_elbo(record->vae, examples, settings.evaluation);
    require_finite(of_model.loss, kName);
    *losses = {of_model.loss, of_model.reconstruction, of_model.kl};
  });
}

}  // extern "C"
