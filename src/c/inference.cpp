// Inference with models of the C interface.
#include <algorithm>
#include <span>
#include <vector>

#include "gpuvae/autograd.h"
#include "src/c/records.h"
#include "src/c/status.h"

namespace gpuvae::c {
namespace {

// Calls use(first, count) for batches of rows of the size that the evaluation of the C++ interface uses.
template <class Use>
void for_row_batches(std::int64_t rows, const Vae& vae, const Use& use) {
  const std::int64_t batch = vae.device().is_cpu() ? 1000 : 16384;
  for (std::int64_t first = 0; first < rows; first += batch) use(first, std::min(batch, rows - first));
}

void encode(const gpuvae_model* handle, const gpuvae_array* x, const gpuvae_array* condition,
            const gpuvae_array* z, std::uint64_t seed, bool sample, const char* operation) {
  const auto model = model_of(handle, operation);
  const Dataset examples = examples_on_device(x, condition, *model, Binarize::none, operation);
  check_output(z, examples.count(), model->vae.options().latent, "codes", operation);
  write_rows(*z, 0, encode_all(model->vae, examples, {.seed = seed}, sample).to_vector());
}

// Decodes codes on the CPU and writes the means. The condition y is on the CPU, too, and has one row for all
// codes, or as many rows.
void decode_to(const gpuvae_array& x, const ModelRecord& model, const Tensor& codes, const Tensor& y) {
  const NoGradGuard no_grad;
  const Vae& vae = model.vae;
  for_row_batches(codes.shape()[0], vae, [&](std::int64_t first, std::int64_t count) {
    const Variable z = codes.slice(first, count).to(vae.device());
    const Tensor part = y && y.shape()[0] > 1 ? y.slice(first, count) : y;
    const Tensor means = vae.decode_mean(z, part ? part.to(vae.device()) : part).value();
    write_examples(x, first, means.to_vector(), model.rules);
  });
}

void decode_codes(const gpuvae_model* handle, const gpuvae_array* z, const gpuvae_array* condition,
                  const gpuvae_array* x, const char* operation) {
  const auto model = model_of(handle, operation);
  const Tensor codes = codes_of(z, model->vae.options().latent, operation);
  const Tensor y = condition_rows(condition, model->rules.condition, codes.shape()[0], true, operation);
  check_output(x, codes.shape()[0], model->vae.options().features, "decoded examples", operation);
  decode_to(*x, *model, codes, y);
}

void reconstruct(const gpuvae_model* handle, const gpuvae_array* x, const gpuvae_array* condition,
                 const gpuvae_array* reconstruction, const char* operation) {
  const auto model = model_of(handle, operation);
  const Dataset examples = examples_on_device(x, condition, *model, Binarize::none, operation);
  check_output(reconstruction, examples.count(), model->vae.options().features, "reconstructions", operation);
  write_examples(*reconstruction, 0, reconstruct_all(model->vae, examples, {}).to_vector(), model->rules);
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

void sample(const gpuvae_model* handle, const gpuvae_array* condition, std::uint64_t seed,
            const gpuvae_array* z, const gpuvae_array* mean, const gpuvae_array* x, const char* operation) {
  const auto model = model_of(handle, operation);
  const VaeOptions& options = model->vae.options();
  const gpuvae_array* const outputs[] = {z, mean, x};
  const std::int64_t rows = output_rows(outputs, operation);
  if (z) check_output(z, rows, options.latent, "codes", operation);
  if (mean) check_output(mean, rows, options.features, "means", operation);
  if (x) check_output(x, rows, options.features, "draws", operation);
  const Tensor y = condition_rows(condition, model->rules.condition, rows, true, operation);
  const Vae::Generated draws = model->vae.sample_prior(rows, seed, y ? y.to(model->vae.device()) : y);
  if (z) write_rows(*z, 0, draws.z.to_vector());
  if (mean) write_examples(*mean, 0, draws.mean.to_vector(), model->rules);
  if (x) write_examples(*x, 0, draws.x.to_vector(), model->rules);
}

void impute(const gpuvae_model* handle, const gpuvae_array* x, const gpuvae_array* condition,
            const gpuvae_array* result, const char* operation) {
  const auto model = model_of(handle, operation);
  check(model->rules.missing_values, operation, "expected a model with missing_values, got one without");
  const Dataset examples = examples_on_device(x, condition, *model, Binarize::none, operation);
  check_output(result, examples.count(), model->vae.options().features, "imputed examples", operation);
  const std::vector<float> means = reconstruct_all(model->vae, examples, {}).to_vector();
  write_rows(*result, 0, std::span<const double>(imputed(*x, means, model->rules)));
}

}  // namespace
}  // namespace gpuvae::c

using namespace gpuvae::c;

extern "C" {

gpuvae_status gpuvae_encode(const gpuvae_model* model, const gpuvae_array* x, const gpuvae_array* z) {
  return guarded("gpuvae_encode", [&] { encode(model, x, nullptr, z, 0, false, "gpuvae_encode"); });
}

gpuvae_status gpuvae_encode_given(const gpuvae_model* model, const gpuvae_array* x,
                                  const gpuvae_array* condition, const gpuvae_array* z) {
  constexpr const char* kName = "gpuvae_encode_given";
  return guarded(kName, [&] { encode(model, x, condition, z, 0, false, kName); });
}

gpuvae_status gpuvae_encode_sample(const gpuvae_model* model, const gpuvae_array* x, uint64_t seed,
                                   const gpuvae_array* z) {
  constexpr const char* kName = "gpuvae_encode_sample";
  return guarded(kName, [&] { encode(model, x, nullptr, z, seed, true, kName); });
}

gpuvae_status gpuvae_encode_sample_given(const gpuvae_model* model, const gpuvae_array* x,
                                         const gpuvae_array* condition, uint64_t seed,
                                         const gpuvae_array* z) {
  constexpr const char* kName = "gpuvae_encode_sample_given";
  return guarded(kName, [&] { encode(model, x, condition, z, seed, true, kName); });
}

gpuvae_status gpuvae_decode(const gpuvae_model* model, const gpuvae_array* z, const gpuvae_array* x) {
  return guarded("gpuvae_decode", [&] { decode_codes(model, z, nullptr, x, "gpuvae_decode"); });
}

gpuvae_status gpuvae_decode_given(const gpuvae_model* model, const gpuvae_array* z,
                                  const gpuvae_array* condition, const gpuvae_array* x) {
  constexpr const char* kName = "gpuvae_decode_given";
  return guarded(kName, [&] { decode_codes(model, z, condition, x, kName); });
}

gpuvae_status gpuvae_reconstruct(const gpuvae_model* model, const gpuvae_array* x,
                                 const gpuvae_array* reconstruction) {
  constexpr const char* kName = "gpuvae_reconstruct";
  return guarded(kName, [&] { reconstruct(model, x, nullptr, reconstruction, kName); });
}

gpuvae_status gpuvae_reconstruct_given(const gpuvae_model* model, const gpuvae_array* x,
                                       const gpuvae_array* condition, const gpuvae_array* reconstruction) {
  constexpr const char* kName = "gpuvae_reconstruct_given";
  return guarded(kName, [&] { reconstruct(model, x, condition, reconstruction, kName); });
}

gpuvae_status gpuvae_sample(const gpuvae_model* model, uint64_t seed, const gpuvae_array* z,
                            const gpuvae_array* mean, const gpuvae_array* x) {
  return guarded("gpuvae_sample", [&] { sample(model, nullptr, seed, z, mean, x, "gpuvae_sample"); });
}

gpuvae_status gpuvae_sample_given(const gpuvae_model* model, const gpuvae_array* condition, uint64_t seed,
                                  const gpuvae_array* z, const gpuvae_array* mean, const gpuvae_array* x) {
  constexpr const char* kName = "gpuvae_sample_given";
  return guarded(kName, [&] { sample(model, condition, seed, z, mean, x, kName); });
}

gpuvae_status gpuvae_impute(const gpuvae_model* model, const gpuvae_array* x, const gpuvae_array* condition,
                            const gpuvae_array* imputed) {
  constexpr const char* kName = "gpuvae_impute";
  return guarded(kName, [&] { impute(model, x, condition, imputed, kName); });
}

}  // extern "C"
