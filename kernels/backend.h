// The one interface between host code and kernels. A method is a kernel; its arguments are raw pointers and
// sizes in one struct, so that kernels know nothing of tensors or autograd and are testable alone.
//
// Conventions. Matrices are row-major and contiguous. Pointers are memory of the backend's device; those
// marked "or null" may be. `dtype` is the type of every untyped pointer: f32 everywhere, f64 on the CPU only.
// Sizes may be anything from 0. Outputs do not overlap inputs unless a comment allows it. Kernels are
// asynchronous on `stream`, deterministic, and throw gpuvae::Error for what they cannot do.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "gpuvae/types.h"
#include "kernels/fused_step.h"
#include "kernels/math/elementwise.h"
#include "kernels/noise.h"

namespace gpuvae::kernels {

using StreamHandle = void*;  // cudaStream_t, or null on the CPU
using EventHandle = void*;
using GraphHandle = void*;

// Lets a gradient pass through a layer's ReLU at the end of the product it comes from. The layer's own
// product keeps a bit of each element of its output. The next layer's product of the input's gradient then is
// c = a b where output is positive, else 0, and d_bias[j] = sum over i of c[i, j].
struct ReluMask {
  void* bits = nullptr;          // or null: Backend::relu_mask_bytes(m, n), written forward and read backward
  bool* written = nullptr;       // forward: whether they were; if not, `output` has to do
  const void* output = nullptr;  // backward: [m, n]
  void* d_bias = nullptr;        // backward: [n]
};

// c[m, n] = activation(a b + bias) (+ c). a is [m, k], or [k, m] if transpose_a; b is [k, n], or [n, k] if
// transpose_b. `accumulate` adds to c and goes with neither bias nor activation.
struct GemmArgs {
  DType dtype = DType::f32;
  Precision precision = Precision::f32;  // of large f32 products; small ones may be more precise
  std::int64_t m = 0, n = 0, k = 0;
  const void* a = nullptr;
  const void* b = nullptr;
  void* c = nullptr;
  bool transpose_a = false, transpose_b = false, accumulate = false;
  const void* bias = nullptr;  // [n], or null
  Activation activation = Activation::identity;
  void* activation_input = nullptr;  // [m, n], or null: a b + bias, for an activation whose slope needs it
  void* sums = nullptr;  // [m], or null; with transpose_a: the sums of a's columns, as a bias gradient wants
  ReluMask relu = {};    // with bias and Activation::relu, or alone
};

// d_input[i, j] = d_output[i, j] * activation'(input[i, j]); d_bias[j] (+)= sum over i of d_input[i, j].
struct ActivationBackwardArgs {
  DType dtype = DType::f32;
  std::int64_t rows = 0, columns = 0;
  Activation activation = Activation::identity;
  // [rows, columns]: the activation's output where math::slope_from_output(), else its input; may be null for
  // identity.
  const void* saved = nullptr;
  const void* d_output = nullptr;
  void* d_input = nullptr;  // or null; may be d_output
  void* d_bias = nullptr;   // [columns], or null
  bool accumulate_bias = false;
};

// y = operation(x), with `a` and `b` as its parameters if it has some.
struct UnaryArgs {
  DType dtype = DType::f32;
  Unary operation = Unary::affine;
  std::int64_t size = 0;
  double a = 1, b = 0;
  const void* x = nullptr;
  void* y = nullptr;  // may be x
};
// d_x = d_y * operation'(x)
struct UnaryBackwardArgs {
  DType dtype = DType::f32;
  Unary operation = Unary::affine;
  std::int64_t size = 0;
  double a = 1, b = 0;
  const void* saved = nullptr;  // y where math::slope_from_output(operation), else x
  const void* d_y = nullptr;
  void* d_x = nullptr;  // may be d_y
};

enum class Binary : std::uint8_t { add, subtract, multiply, divide };
enum class Broadcast : std::uint8_t {
  none,    // [rows, columns]
  row,     // [columns], the same for every row
  column,  // [rows], the same for every column
  scalar,  // [1]
};
struct BinaryArgs {
  DType dtype = DType::f32;
  Binary operation = Binary::add;
  std::int64_t rows = 0, columns = 0;
  const void* a = nullptr;
  const void* b = nullptr;
  void* out = nullptr;  // [rows, columns]; may be a or b if that is not broadcast
  Broadcast broadcast_a = Broadcast::none, broadcast_b = Broadcast::none;
};

// out = scale * sum of x over an axis (+ out): [1] over all, [columns] over the rows, [rows] over the columns
struct ReduceArgs {
  DType dtype = DType::f32;
  Axis axis = Axis::all;
  std::int64_t rows = 0, columns = 0;
  double scale = 1;
  const void* x = nullptr;
  void* out = nullptr;
  bool accumulate = false;
};

// y = (alpha * *device_alpha) x + beta y
struct AxpbyArgs {
  DType dtype = DType::f32;
  std::int64_t size = 0;
  double alpha = 1, beta = 0;
  const void* device_alpha = nullptr;  // [1] of dtype, or null for 1
  const void* x = nullptr;
  void* y = nullptr;  // may be x; not read if beta is 0
};

struct FillArgs {
  DType dtype = DType::f32;
  std::int64_t size = 0;
  double value = 0;
  void* out = nullptr;
};

// out[r, out_first + c] (+)= x[r, x_first + c] for c below `columns`: part of each row of one matrix to part
// of each row of another.
struct ColumnsArgs {
  DType dtype = DType::f32;
  std::int64_t rows = 0, columns = 0;
  const void* x = nullptr;
  std::int64_t x_width = 0, x_first = 0;
  void* out = nullptr;
  std::int64_t out_width = 0, out_first = 0;
  bool accumulate = false;
};

// out[c, r] = x[r, c]
struct TransposeArgs {
  DType dtype = DType::f32;
  std::int64_t rows = 0, columns = 0;  // of x
  const void* x = nullptr;
  void* out = nullptr;
};

// log_sum_exp[r] = log of the sum over c of exp(x[r, c]); softmax[r, c] = exp(x[r, c] - log_sum_exp[r]). The
// largest element of the row is subtracted before the exponential. A row of -inf alone, or of no element, has
// -inf and zeros.
struct SoftmaxArgs {
  DType dtype = DType::f32;
  std::int64_t rows = 0, columns = 0;
  const void* x = nullptr;
  void* log_sum_exp = nullptr;  // [rows], or null
  void* softmax = nullptr;      // [rows, columns], or null; may be x
};

// out[r * times + i] = x[r]: each row of a matrix `times` times in a row.
struct RepeatRowsArgs {
  DType dtype = DType::f32;
  std::int64_t rows = 0, columns = 0, times = 1;  // rows of x
  const void* x = nullptr;
  void* out = nullptr;
};

// out = x, another type. From u8, i32, f32, f64, bf16 to f32, f64 or bf16 (f64 on the CPU only).
struct CastArgs {
  DType from = DType::f32, to = DType::f32;
  std::int64_t size = 0;
  const void* x = nullptr;
  void* out = nullptr;
};

// out[r, c] = low + (high - low) u, or mean + stddev n; number c of row r's position.
struct RandomArgs {
  DType dtype = DType::f32;
  bool normal = true;
  double a = 0, b = 1;  // (mean, stddev) or (low, high)
  std::int64_t rows = 0, columns = 0;
  Noise noise = {};
  void* out = nullptr;
};

// out[i] = mean + stddev n, or uniform in (low, high], by cuRAND's Philox4x32-10 in its order: a sequence
// of `seed` alone, which belongs to no position.
struct CurandArgs {
  bool normal = true;
  double a = 0, b = 1;  // (mean, stddev) or (low, high)
  std::int64_t count = 0;
  std::uint64_t seed = 0;
  float* out = nullptr;
};

// posterior_params is [rows, 2 latent]: mean, then scale parameter. With sigma from `scale`:
//   z   = mean + noise_std * epsilon * sigma         epsilon drawn from `noise`, or given
//   *kl = kl_weight * sum over rows and dimensions of KL(N(mean, sigma^2) || N(0, 1))
struct PosteriorArgs {
  DType dtype = DType::f32;
  PosteriorScale scale = PosteriorScale::log_variance;
  std::int64_t rows = 0, latent = 0;
  double noise_std = 1, kl_weight = 1;
  Noise noise = {};
  const void* epsilon = nullptr;  // [rows, latent], or null: drawn inline
  const void* posterior_params = nullptr;
  void* z = nullptr;   // [rows, latent], or null
  void* kl = nullptr;  // [1], or null
};
// d_posterior_params of the above; both gradients at once. d_kl multiplies kl_weight.
struct PosteriorBackwardArgs {
  PosteriorArgs forward = {};  // z and kl unused
  const void* d_z = nullptr;   // [rows, latent], or null
  double d_kl = 0;
  const void* device_d_kl = nullptr;  // [1], times d_kl; or null
  void* d_posterior_params = nullptr;
};

// What x is, and which distribution it is a parameter of.
enum class BceKind : std::uint8_t {
  logits,             // Bernoulli
  probabilities,      // Bernoulli
  continuous_logits,  // continuous Bernoulli
};
// *loss = weight * sum of the pixels' negative log likelihood; the gradient, weight * slope, in the same
// pass.
struct BceArgs {
  DType dtype = DType::f32;
  BceKind kind = BceKind::logits;
  std::int64_t size = 0;
  double weight = 1;
  const void* x = nullptr;
  const void* target = nullptr;
  void* loss = nullptr;  // [1]
  void* d_x = nullptr;   // or null
};
// params is [rows, 2 columns]: mean (its logit if sigmoid_mean), then log variance, clipped to [low, high].
struct GaussianNllArgs {
  DType dtype = DType::f32;
  bool sigmoid_mean = true;
  std::int64_t rows = 0, columns = 0;
  double low = -5, high = 5, weight = 1;
  const void* params = nullptr;
  const void* target = nullptr;  // [rows, columns]
  void* loss = nullptr;          // [1]
  void* d_params = nullptr;      // or null
};

enum class Density : std::uint8_t {
  bernoulli,             // params [rows, columns]: logits
  continuous_bernoulli,  // likewise
  gaussian,              // params [rows, 2 columns], as in GaussianNllArgs
};
// out[r] = the sum over columns of log p(target[r / repeats] | params[r]): a row of the target stands for
// `repeats` rows of parameters.
struct LogDensityArgs {
  DType dtype = DType::f32;
  Density density = Density::bernoulli;
  std::int64_t rows = 0, columns = 0, repeats = 1;
  bool sigmoid_mean = true;  // this and the bounds: of the Gaussian
  double low = -5, high = 5;
  const void* params = nullptr;
  const void* target = nullptr;  // [rows / repeats, columns]
  void* out = nullptr;           // [rows]
};

// out[r] = log of the sum over k of exp(log_weights[k]) N(z[r]; mean_k, sigma_k^2), diagonal Gaussians.
struct MixtureArgs {
  DType dtype = DType::f32;
  PosteriorScale scale = PosteriorScale::log_variance;
  std::int64_t rows = 0, latent = 0, components = 0;
  const void* z = nullptr;                 // [rows, latent]
  const void* component_params = nullptr;  // [components, 2 latent]: mean, then scale parameter
  const void* log_weights = nullptr;       // [components], or null: -log components each
  void* workspace = nullptr;  // [2 latent + 1, mixture_stride(components)]: written forward, read backward
  void* out = nullptr;        // [rows]
};
// So that vectors of components need no remainder.
constexpr std::int64_t mixture_stride(std::int64_t components) { return (components + 15) / 16 * 16; }
// Gradients of the above; those that are null are not computed.
struct MixtureBackwardArgs {
  MixtureArgs forward = {};     // with its workspace and out
  const void* d_out = nullptr;  // [rows]
  void* d_z = nullptr;
  void* d_component_params = nullptr;
  void* d_log_weights = nullptr;
};

// One launch over a whole arena of parameters. The first `decayed` elements receive decay, the rest do not.
// `clock` counts finished updates: this one is number clock + 1 in Adam's bias correction.
struct OptimizerArgs {
  DType dtype = DType::f32;
  OptimizerKind kind = OptimizerKind::adam;
  std::int64_t size = 0, decayed = 0;
  double learning_rate = 1e-3, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, decay = 0;
  Clock clock = {};
  // The rate of update number i (from 0) is *device_learning_rate * learning_rate_factors[i % factor_count].
  // Both are in the memory of the device, so that launches of a captured graph see them change.
  const double* device_learning_rate = nullptr;   // or null: learning_rate
  const double* learning_rate_factors = nullptr;  // or null for 1
  std::uint64_t factor_count = 1;
  void* parameters = nullptr;
  const void* gradients = nullptr;
  void* state1 = nullptr;                // SGD without momentum may leave it alone
  void* state2 = nullptr;                // or null: see optimizer_states()
  const void* gradient_scale = nullptr;  // [1], or null for 1
};

// *scale = min(1, max_norm / ||x||), *norm = ||x||: clipping by global norm (Pascanu et al., 2013).
struct ClipArgs {
  DType dtype = DType::f32;
  std::int64_t size = 0;
  double max_norm = 1;
  const void* x = nullptr;
  void* scale = nullptr;  // [1]
  void* norm = nullptr;   // [1]
};

// Row r of a batch is sample s = order((step in epoch) * batch + r) of the data set: out[r] = s's bytes,
// scaled to [0, 1] and binarized, or its floats as they are, which a threshold alone binarizes. Rows past the
// data set are not written: `rows` says how many there are.
struct GatherArgs {
  DType dtype = DType::f32;
  std::int64_t rows = 0, columns = 0;
  std::int64_t batch = 0;      // of a full batch
  std::int64_t count = 0;      // samples in the data set
  DType source = DType::u8;    // or f32
  const void* data = nullptr;  // [count, columns] of source
  bool shuffle = true;
  Binarize binarize = Binarize::none;
  double threshold = 0.5;
  std::uint64_t seed = 0;
  Clock clock = {};
  void* out = nullptr;
  std::int32_t* samples = nullptr;  // [rows], or null: s
};

// totals[i] += weights[i] * *terms[i]. The first step whose sum is not finite is kept in *bad_step (counted
// from 1; 0 while all were). Then *advance grows by one: a step that ends with this call counts itself.
inline constexpr int kMaxMetrics = 4;
struct MetricsArgs {
  DType dtype = DType::f32;
  int count = 0;
  const void* terms[kMaxMetrics] = {};
  double weights[kMaxMetrics] = {};
  Clock clock = {};
  double* totals = nullptr;
  std::uint64_t* bad_step = nullptr;
  std::uint64_t* advance = nullptr;  // or null; may be the clock's device_step
};

// *out = height * min(1, step / steps), with the clock's step: a weight that rises while a graph is replayed.
struct RampArgs {
  DType dtype = DType::f32;
  double height = 1, steps = 1;
  Clock clock = {};
  void* out = nullptr;  // [1]
};

// One training step, see kernels/fused_step.h. Capturable: it allocates nothing and never waits.
struct FusedStepArgs {
  // The batch. `rows` is that of a full batch: the kernels see from the clock how many rows there are. `out`
  // and `samples` are unused. Every clock below is this one, but for the optimiser's.
  GatherArgs gather = {};
  PosteriorArgs posterior = {};  // scale, latent, noise_std, and the noise's seed, purpose and `frozen`

  int encoder_layers = 1, decoder_layers = 1;
  FusedLayer encoder[kFusedMaxLayers] = {}, decoder[kFusedMaxLayers] = {};  // in order of evaluation
  FusedLayer posterior_head = {}, output = {};
  Activation activation = Activation::relu;  // of the hidden layers

  bool gaussian = false;               // else Bernoulli, from logits
  GaussianNllArgs gaussian_head = {};  // sigmoid_mean, low, high

  // The gradient is of reconstruction_weight * reconstruction + kl_weight * kl, sums over the batch, divided
  // by its rows if `mean`. kl_weight rises linearly from 0 over the clock's first `warmup_steps`.
  double reconstruction_weight = 1, kl_weight = 1, warmup_steps = 0;
  bool mean = true;

  OptimizerArgs optimizer = {};  // its gradients and gradient_scale are unused
  // totals[0] += weights[0] * reconstruction, totals[1] += weights[1] * kl, plain sums over the batch;
  // bad_step as in MetricsArgs. Terms and clock are unused.
  MetricsArgs metrics = {};
  std::uint64_t* advance = nullptr;  // += 1 when the step is done; may be the clocks' device_step; or null

  FusedPrecision precision = FusedPrecision::automatic;
  void* workspace = nullptr;  // fused_step_workspace() bytes; nothing in it is kept between steps
};

class Backend {
 public:
  virtual ~Backend() = default;

  // ---- the device: memory, streams, events ----
  virtual std::string description() const = 0;
  virtual bool supports(Precision precision) const = 0;  // of gemm
  // Why fused_step cannot run on this device, in one line; "" if it can.
  virtual std::string fused_step_unavailable() const = 0;
  // What a mask of ReLU takes for an output of [m, n]; 0 where gemm has no use for one.
  virtual std::size_t relu_mask_bytes(std::int64_t m, std::int64_t n) const = 0;
  // System memory of the device; throws Error if there is none left. The pool above calls it seldom.
  virtual void* allocate(std::size_t bytes) = 0;
  virtual void release(void* pointer) noexcept = 0;
  // Stream-ordered copies. To the device the source may be reused at once; from the device the call waits.
  virtual void copy_to_device(void* to, const void* from, std::size_t bytes, StreamHandle) = 0;
  virtual void copy_from_device(void* to, const void* from, std::size_t bytes, StreamHandle) = 0;
  virtual void copy_on_device(void* to, const void* from, std::size_t bytes, StreamHandle) = 0;
  virtual StreamHandle create_stream() = 0;
  virtual void destroy_stream(StreamHandle) noexcept = 0;
  virtual void synchronize(StreamHandle) = 0;
  virtual EventHandle record_event(StreamHandle) = 0;
  virtual void wait_event(StreamHandle, EventHandle) = 0;             // the stream waits, not the host
  virtual double milliseconds_between(EventHandle, EventHandle) = 0;  // waits for the second
  virtual void synchronize_event(EventHandle) = 0;                    // the host waits
  virtual void destroy_event(EventHandle) noexcept = 0;
  // Kernels started in this process so far, where calls start kernels: a product of cuBLASLt counts as one. 0
  // on the CPU.
  virtual std::uint64_t launches() const = 0;

  // ---- graphs: what a stream is given between begin and end is recorded instead of run ----
  virtual void begin_capture(StreamHandle) = 0;
  virtual GraphHandle end_capture(StreamHandle) = 0;  // ready to launch
  virtual void discard_capture(StreamHandle) noexcept = 0;
  virtual void launch_graph(GraphHandle, StreamHandle) = 0;
  virtual std::size_t graph_nodes(GraphHandle) = 0;
  virtual void destroy_graph(GraphHandle) noexcept = 0;  // also while a launch is running

  // ---- kernels ----
  virtual void gemm(const GemmArgs&, StreamHandle) = 0;
  virtual void activation_backward(const ActivationBackwardArgs&, StreamHandle) = 0;
  virtual void unary(const UnaryArgs&, StreamHandle) = 0;
  virtual void unary_backward(const UnaryBackwardArgs&, StreamHandle) = 0;
  virtual void binary(const BinaryArgs&, StreamHandle) = 0;
  virtual void reduce(const ReduceArgs&, StreamHandle) = 0;
  virtual void axpby(const AxpbyArgs&, StreamHandle) = 0;
  virtual void fill(const FillArgs&, StreamHandle) = 0;
  virtual void copy_columns(const ColumnsArgs&, StreamHandle) = 0;
  virtual void transpose(const TransposeArgs&, StreamHandle) = 0;
  virtual void softmax(const SoftmaxArgs&, StreamHandle) = 0;
  virtual void repeat_rows(const RepeatRowsArgs&, StreamHandle) = 0;
  virtual void cast(const CastArgs&, StreamHandle) = 0;
  virtual void random(const RandomArgs&, StreamHandle) = 0;
  virtual void posterior(const PosteriorArgs&, StreamHandle) = 0;
  virtual void posterior_backward(const PosteriorBackwardArgs&, StreamHandle) = 0;
  virtual void bce(const BceArgs&, StreamHandle) = 0;
  virtual void gaussian_nll(const GaussianNllArgs&, StreamHandle) = 0;
  virtual void log_density(const LogDensityArgs&, StreamHandle) = 0;
  virtual void mixture(const MixtureArgs&, StreamHandle) = 0;
  virtual void mixture_backward(const MixtureBackwardArgs&, StreamHandle) = 0;
  virtual void optimizer_step(const OptimizerArgs&, StreamHandle) = 0;
  virtual void clip(const ClipArgs&, StreamHandle) = 0;
  virtual void gather(const GatherArgs&, StreamHandle) = 0;
  virtual void accumulate_metrics(const MetricsArgs&, StreamHandle) = 0;
  virtual void ramp(const RampArgs&, StreamHandle) = 0;
  virtual void advance(std::uint64_t* counter, std::uint64_t by, StreamHandle) = 0;  // *counter += by
  virtual void fused_step(const FusedStepArgs&, StreamHandle) = 0;                   // CUDA only
  virtual void curand(const CurandArgs&, StreamHandle) = 0;  // CUDA only, and not while a graph is captured
};

Backend& cpu_backend();

// Null where the build has no CUDA or the machine no usable GPU; `cuda_status()` says which, for people.
Backend* cuda_backend(int device);
int cuda_device_count();
std::string cuda_status();

}  // namespace gpuvae::kernels
