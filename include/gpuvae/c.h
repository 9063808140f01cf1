// @file
// The C interface: variational autoencoders for programs in C (C99 or later) and for other languages that can
// call C functions. It needs no other header of the library. A program links the library gpuvae as a C++
// program does; the library is written in C++, so a static build also needs the C++ runtime.
//
// Handles: models and trainers are referred to by opaque handles, which are never dereferenced. A call with
// NULL, a freed handle, a handle of the wrong kind or any other value returns GPUVAE_INVALID_ARGUMENT.
//
// Errors: all functions that can fail return a status, and write their results only if it is GPUVAE_OK.
// gpuvae_last_error() then returns the message of the calling thread's last failed call. No C++ exception
// leaves the library, not even one that a callback in C++ throws.
//
// Structs: a struct whose first member is struct_size may grow in later versions, always at its end. The
// caller sets struct_size to sizeof the struct. The library uses the defaults for members that the caller's
// struct lacks. A larger struct of a newer header is accepted if the members that the library does not know
// are all zero. All members have 8 bytes, so a struct_size that is not a multiple of 8 is an error.
//
// Threads: any thread may call any function. Several threads may use one model at the same time, except
// while a trainer trains it. One thread at a time may use a trainer; a call from a second thread returns
// GPUVAE_INVALID_ARGUMENT. Different models on different threads need no lock.
//
// Results have the same bits as those of the C++ interface, whose functions the comments name.
#ifndef GPUVAE_C_H_
#define GPUVAE_C_H_

#include <stddef.h>
#include <stdint.h>

// The version of this interface. It increases whenever a program that was compiled with an older header
// would no longer work. Functions and struct members that are only added do not change it.
#define GPUVAE_C_ABI_VERSION 1

// Marks the functions that the shared library exports.
#if defined(__GNUC__)
#define GPUVAE_C_API __attribute__((visibility("default")))
#else
#define GPUVAE_C_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

// The GPUVAE_C_ABI_VERSION of the linked library. A program should compare it with that of its header.
GPUVAE_C_API uint32_t gpuvae_abi_version(void);
// The version of the linked library, such as "0.1.0". The text is valid as long as the library is loaded.
GPUVAE_C_API const char* gpuvae_version(void);

// The result of a call: one of the values below.
typedef int32_t gpuvae_status;
enum {
  GPUVAE_OK = 0,
  GPUVAE_INVALID_ARGUMENT = 1,  // an argument, an option or a handle is wrong
  GPUVAE_UNSUPPORTED = 2,       // this build, device or computer lacks what the call needs
  GPUVAE_OUT_OF_MEMORY = 3,     // the host or the device has no free memory left
  GPUVAE_IO = 4,                // a file is missing, unreadable, not writable, damaged or of the wrong kind
  GPUVAE_CUDA = 5,              // CUDA or one of its libraries reported a failure
  GPUVAE_NOT_FINITE = 6,        // a loss, a gradient, a weight or a density became infinite or not a number
  GPUVAE_CALLBACK = 7,          // a callback in C++ threw an exception
  GPUVAE_INTERNAL = 8           // an error that the library did not expect
};

// The name of a status, such as "GPUVAE_IO", or "unknown status". The text is valid as long as the library
// is loaded.
GPUVAE_C_API const char* gpuvae_status_name(gpuvae_status status);
// The message of the calling thread's last failed call, such as "[linear] expected ..., got ...", or "" if
// no call of this thread has failed. The text is valid until the next failed call of this thread. Messages
// of more than 2,047 bytes are cut.
GPUVAE_C_API const char* gpuvae_last_error(void);

// Sets the largest number of threads that the CPU backend uses, 1 or more, for the whole process. Results do
// not depend on it.
GPUVAE_C_API gpuvae_status gpuvae_set_num_threads(int64_t threads);

// Levels of messages, from the least to the most important (LogLevel).
enum { GPUVAE_LOG_DEBUG = 0, GPUVAE_LOG_INFO = 1, GPUVAE_LOG_WARNING = 2 };
// Receives a message: its level, the part of the library that reports, such as "train", and one line of
// text. The texts are valid only during the call. Several threads may call it at the same time. It may call
// the library, and it must not block for long.
typedef void (*gpuvae_log_callback)(int64_t level, const char* operation, const char* text, void* user);
// Makes `callback` receive all messages of the process from level `lowest` upwards, instead of the previous
// callback; NULL drops all messages, as is done without a call (set_log_callback). A call of the previous
// callback may still run in another thread when this function returns.
GPUVAE_C_API gpuvae_status gpuvae_set_log_callback(gpuvae_log_callback callback, int64_t lowest, void* user);

// ---- arrays ----

// Element types of arrays.
enum {
  GPUVAE_F32 = 0,  // float
  GPUVAE_F64 = 1,  // double
  GPUVAE_U8 = 2    // uint8_t, only for examples: the byte b stands for the number b / 255
};

// A row-major matrix in host memory that the caller owns. The library reads or writes it only during the
// call. Its layout never changes.
typedef struct gpuvae_array {
  void* data;          // the first element; the library does not write to arrays that are inputs
  int64_t dtype;       // GPUVAE_F32, GPUVAE_F64 or GPUVAE_U8
  int64_t rows;        // number of rows, 1 or more
  int64_t columns;     // number of columns, 1 or more
  int64_t row_stride;  // elements from a row to the next one; 0 stands for `columns`
} gpuvae_array;

// ---- models ----

// A handle to a model.
typedef struct gpuvae_model gpuvae_model;

// The description of a new model. gpuvae_model_options_init sets the defaults in parentheses. Texts and
// widths are copied; NULL stands for the default.
typedef struct gpuvae_model_options {
  size_t struct_size;             // sizeof(gpuvae_model_options)
  int64_t features;               // values per example (784)
  int64_t latent;                 // dimensions of z (2)
  const int64_t* encoder_widths;  // widths of the encoder's hidden layers (NULL: one layer of 256)
  int64_t encoder_layers;         // number of encoder_widths, 0 or more; ignored if they are NULL
  const int64_t* decoder_widths;  // those of the decoder (NULL: the encoder's in reverse order)
  int64_t decoder_layers;         // number of decoder_widths; NULL or 0 layers select the default
  // identity, relu, leaky_relu, sigmoid, tanh, softplus, gelu or silu (relu)
  const char* activation;
  // bernoulli, continuous-bernoulli, gaussian, laplace, gaussian-shared, gaussian-fixed, logistic-256,
  // poisson, negative-binomial, zero-inflated-negative-binomial or columns (bernoulli). The first two need
  // examples in [0, 1], logistic-256 needs bytes, and the next three counts, whole numbers of 0 or more.
  const char* likelihood;
  // Flag of gaussian, laplace, gaussian-shared, gaussian-fixed and logistic-256: whether a sigmoid keeps
  // their mean in [0, 1]. Values beyond need 0 (1).
  int64_t sigmoid_mean;
  double sigma;              // standard deviation of gaussian-fixed, above 0 (0.1)
  double log_variance_low;   // lower bound of the log variance of gaussian and gaussian-shared (-5)
  double log_variance_high;  // upper bound of that log variance (5)
  const char* prior;         // normal, mixture, vamp or exemplar (normal); see gpuvae_model_set_exemplars
  int64_t prior_components;  // components of mixture or vamp, or exemplars per step, 2 or more (50)
  const char* device;        // auto, cpu, cuda or cuda:N (auto: the first GPU, or the CPU if there is none)
  uint64_t seed;             // seed of the initial parameters (0)
  int64_t height;  // height of the images of `features` pixels; 0 stands for 1, a row of a table (0)
  // Types of the columns for the likelihood columns, such as "bernoulli:3,gaussian:5,categorical:4"; see
  // product_likelihood. The type library is the library size of counts (NULL).
  const char* column_types;
  double library_reference;  // library size at which counts are decoded, 0 or more; 0 stands for 1 (0)
  int64_t missing_values;    // flag: whether NaN in examples is a missing value, which does not count (0)
  int64_t log1p_counts;      // flag: whether counts enter the encoder as log(1 + x) (1)
  double log_scale_low;      // lower bound of the log scale of logistic-256 (-7)
  double log_scale_high;     // upper bound of that log scale (2)
  int64_t gated;  // flag: gated hidden layers, (W x + b) * sigmoid(V x + c), which have no activation (0)
  // gaussian, planar:N (planar flow of N layers), iaf:N or iaf:N:UNITS (inverse autoregressive flow), or full
  // (Gaussian with a full covariance matrix) (gaussian)
  const char* posterior;
  // glorot_uniform, he_normal, normal or two_over_root_fan_in: the initial weights (glorot_uniform)
  const char* init;
  // Numbers of the condition y of a conditional model p(x | y), such as a dose; they need a height of 1 (0).
  int64_t condition_columns;
  int64_t condition_classes;  // classes 0, 1, ... of the condition, at most 256; 0 stands for none (0)
} gpuvae_model_options;

// Sets the defaults in a struct of struct_size bytes: gpuvae_model_options_init(&options, sizeof options).
GPUVAE_C_API gpuvae_status gpuvae_model_options_init(gpuvae_model_options* options, size_t struct_size);

// Creates a model with newly drawn parameters (Vae::Vae). NULL options stand for the defaults. The caller
// frees the model by gpuvae_model_free.
GPUVAE_C_API gpuvae_status gpuvae_model_create(const gpuvae_model_options* options, gpuvae_model** model);
// Loads a model from model.safetensors of a run folder, from the folder that has this file, or from a file
// that gpuvae_model_save wrote. `device` is as in gpuvae_model_options; NULL stands for auto. Such a model
// takes and returns values in the units of its training data; see gpuvae_encode.
GPUVAE_C_API gpuvae_status gpuvae_model_load(const char* path, const char* device, gpuvae_model** model);
// Saves the parameters and the description of a model as a safetensors file, which gpuvae_model_load reads.
// An existing file is replaced, completely or not at all.
GPUVAE_C_API gpuvae_status gpuvae_model_save(const gpuvae_model* model, const char* path);
// Frees a model; NULL is ignored. Trainers of the model keep what they need of it.
GPUVAE_C_API gpuvae_status gpuvae_model_free(gpuvae_model* model);

// Properties of a model.
typedef struct gpuvae_model_info {
  size_t struct_size;         // sizeof(gpuvae_model_info), set by the caller
  int64_t features;           // values per example
  int64_t latent;             // dimensions of z
  int64_t parameter_count;    // number of learned numbers
  int64_t height;             // height of an image; 1 for tables
  int64_t width;              // width of an image, or number of columns
  int64_t bytes;              // 1 if the training data are known to be bytes, else 0
  int64_t standardized;       // 1 if the library standardises examples as the training data were, else 0
  int64_t epochs;             // number of epochs that the model was trained for, if it is known, else -1
  int64_t condition_columns;  // numbers of the condition of a conditional model, else 0
  int64_t condition_classes;  // classes of the condition of a conditional model, else 0
} gpuvae_model_info;
// Writes the properties of a model.
GPUVAE_C_API gpuvae_status gpuvae_model_get_info(const gpuvae_model* model, gpuvae_model_info* info);

// Gives a model with the prior exemplar its exemplars: copies of the rows x [rows, features] of its training
// set, in their order, as in gpuvae_encode, with their condition (NULL for a model without one). A model file
// does not hold them, so a loaded model needs them before it samples or evaluates examples; a trainer sets
// them itself. The rows become examples as those of the training that the file describes (binarize,
// threshold, seed). Other rows than those of the training set are refused; of a training set with labels,
// whose fingerprint includes them, only the number of rows is compared. No other thread may use the model
// during the call. Returns GPUVAE_INVALID_ARGUMENT for another prior and while a trainer of the model exists.
GPUVAE_C_API gpuvae_status gpuvae_model_set_exemplars(gpuvae_model* model, const gpuvae_array* x,
                                                      const gpuvae_array* condition);

// ---- inference ----

// Examples x are [rows, features]. A byte b (GPUVAE_U8) stands for b / 255. If the model's file describes its
// training data, floats are standardised or scaled as these were, and decoded values are returned in the
// original units. Examples that do not fit the training data are refused: bytes if these were neither bytes
// nor numbers in [0, 1], floats outside [0, 1] if they were bytes, and values outside their range. Bernoulli
// and continuous Bernoulli likelihoods require values in [0, 1] in any case. Values must be finite, or NaN
// for models with missing_values.
//
// A conditional model also needs the condition of the rows: a GPUVAE_F32 or GPUVAE_F64 array [rows,
// condition_columns + 1], or without the last column if there are no classes. The first columns are numbers,
// in the units of the training data, and the last one is the class, a whole number from 0 to
// condition_classes - 1. The functions whose names end in `_given` take it; for other models it is NULL. If
// a function says so, one row of it may stand for all rows.
//
// Codes z are [rows, latent]. Outputs are GPUVAE_F32 or GPUVAE_F64, with exactly the rows and columns that
// the comments say. Rows are computed in batches of 1,000 on the CPU and 16,384 on a GPU, except
// by gpuvae_sample.

// Writes the mean of the posterior q(z | x) of each row (encode_all).
GPUVAE_C_API gpuvae_status gpuvae_encode(const gpuvae_model* model, const gpuvae_array* x,
                                         const gpuvae_array* z);
// Writes a draw from the posterior q(z | x) of each row (encode_all with `sample`).
GPUVAE_C_API gpuvae_status gpuvae_encode_sample(const gpuvae_model* model, const gpuvae_array* x,
                                                uint64_t seed, const gpuvae_array* z);
// Writes the mean of p(x | z) of each row, such as the probabilities of pixels (Vae::decode_mean).
GPUVAE_C_API gpuvae_status gpuvae_decode(const gpuvae_model* model, const gpuvae_array* z,
                                         const gpuvae_array* x);
// Writes the mean of p(x | mean of q(z | x)) of each row (Vae::reconstruct).
GPUVAE_C_API gpuvae_status gpuvae_reconstruct(const gpuvae_model* model, const gpuvae_array* x,
                                              const gpuvae_array* reconstruction);
// Draws codes from the prior and decodes them (Vae::sample_prior). Writes the codes to z [rows, latent], the
// means of p(x | z) to mean [rows, features], and draws from p(x | z) to x [rows, features]. Each of the
// three may be NULL, but not all, and their numbers of rows must be equal.
GPUVAE_C_API gpuvae_status gpuvae_sample(const gpuvae_model* model, uint64_t seed, const gpuvae_array* z,
                                         const gpuvae_array* mean, const gpuvae_array* x);

// @{
// The same for a conditional model, or with a NULL condition for any other. `condition` has a row for each
// row of x or, in gpuvae_decode_given and gpuvae_sample_given, one row or as many as the other arrays. The
// C++ functions take rows [x, y], and Vae::decode_mean and Vae::sample_prior take y.
GPUVAE_C_API gpuvae_status gpuvae_encode_given(const gpuvae_model* model, const gpuvae_array* x,
                                               const gpuvae_array* condition, const gpuvae_array* z);
GPUVAE_C_API gpuvae_status gpuvae_encode_sample_given(const gpuvae_model* model, const gpuvae_array* x,
                                                      const gpuvae_array* condition, uint64_t seed,
                                                      const gpuvae_array* z);
GPUVAE_C_API gpuvae_status gpuvae_decode_given(const gpuvae_model* model, const gpuvae_array* z,
                                               const gpuvae_array* condition, const gpuvae_array* x);
GPUVAE_C_API gpuvae_status gpuvae_reconstruct_given(const gpuvae_model* model, const gpuvae_array* x,
                                                    const gpuvae_array* condition,
                                                    const gpuvae_array* reconstruction);
GPUVAE_C_API gpuvae_status gpuvae_sample_given(const gpuvae_model* model, const gpuvae_array* condition,
                                               uint64_t seed, const gpuvae_array* z, const gpuvae_array* mean,
                                               const gpuvae_array* x);
// @}

// Writes x with its missing values, which are NaN, replaced by those of its reconstruction (Vae::impute):
// `imputed` is [rows, features] in the units of x, where a byte b becomes b / 255, and may be x itself.
// `condition` is NULL for a model without one. The model needs missing_values.
GPUVAE_C_API gpuvae_status gpuvae_impute(const gpuvae_model* model, const gpuvae_array* x,
                                         const gpuvae_array* condition, const gpuvae_array* imputed);

// How examples are evaluated. gpuvae_evaluate_options_init sets the defaults in parentheses.
typedef struct gpuvae_evaluate_options {
  size_t struct_size;             // sizeof(gpuvae_evaluate_options)
  int64_t samples;                // importance samples per example, 1 or more (100)
  uint64_t seed;                  // seed of the noise (0)
  const char* binarize;           // none, threshold, fixed or dynamic, as in training (none)
  double threshold;               // of binarize threshold (0.5)
  int64_t batch_rows;             // rows per pass of the decoder; 0: a number that suits the device (0)
  const gpuvae_array* condition;  // of the examples of a conditional model; NULL for other models (NULL)
} gpuvae_evaluate_options;
// Sets the defaults, as gpuvae_model_options_init does.
GPUVAE_C_API gpuvae_status gpuvae_evaluate_options_init(gpuvae_evaluate_options* options, size_t struct_size);

// Estimates of the log-likelihood, nats per example. For standardised or scaled data, these are densities of
// the standardised or scaled values. The layout never changes.
typedef struct gpuvae_likelihood {
  double log_likelihood;     // the importance-weighted bound on log p(x), averaged over the examples
  double standard_error;     // its standard error over the examples; NaN for one example
  double effective_samples;  // effective number of importance samples, averaged over the examples
} gpuvae_likelihood;
// Estimates the log-likelihood of x by importance sampling (importance_weighted_nll, with the opposite sign).
// NULL options stand for the defaults.
GPUVAE_C_API gpuvae_status gpuvae_log_likelihood(const gpuvae_model* model, const gpuvae_array* x,
                                                 const gpuvae_evaluate_options* options,
                                                 gpuvae_likelihood* result);

// Losses, nats per example. The layout never changes.
typedef struct gpuvae_losses {
  double loss;            // the negative ELBO; in training, reconstruction + beta * kl or minus the objective
  double reconstruction;  // -log p(x | z)
  double kl;              // KL(q(z | x) || p(z))
} gpuvae_losses;
// Evaluates the negative ELBO of x with one draw of z per example (evaluate_elbo). Ignores
// options->samples. NULL options stand for the defaults.
GPUVAE_C_API gpuvae_status gpuvae_evaluate_elbo(const gpuvae_model* model, const gpuvae_array* x,
                                                const gpuvae_evaluate_options* options,
                                                gpuvae_losses* losses);

// The columns of the scores of examples, in nats but for the last one.
enum {
  GPUVAE_SCORE_ELBO = 0,               // -(reconstruction + kl), with one draw of z
  GPUVAE_SCORE_RECONSTRUCTION = 1,     // -log p(x | z) at this draw
  GPUVAE_SCORE_KL = 2,                 // KL(q(z | x) || p(z)), or its estimate at the draw
  GPUVAE_SCORE_LOG_LIKELIHOOD = 3,     // the importance-weighted bound on log p(x)
  GPUVAE_SCORE_EFFECTIVE_SAMPLES = 4,  // its effective sample size, from 1 to the number of samples
  GPUVAE_SCORE_COLUMNS = 5             // the number of columns
};
// Writes the scores of each example of x to `scores` [rows, GPUVAE_SCORE_COLUMNS] (score_rows), the same as
// the programs' eval --per-row. With an array of three columns, it writes the first three and draws no
// importance samples. A density that 32-bit floats cannot hold gives scores that are not finite. NULL options
// stand for the defaults.
GPUVAE_C_API gpuvae_status gpuvae_score_rows(const gpuvae_model* model, const gpuvae_array* x,
                                             const gpuvae_evaluate_options* options,
                                             const gpuvae_array* scores);

// ---- training ----

// A handle to a trainer, which trains one model on one set of examples.
typedef struct gpuvae_trainer gpuvae_trainer;

// Stands for the usual value of the chosen optimiser.
#define GPUVAE_OPTIMIZER_DEFAULT (-1.0)

// The settings of a trainer. gpuvae_train_options_init sets the defaults in parentheses. NULL texts stand for
// the defaults. Flags are 0 or 1.
typedef struct gpuvae_train_options {
  size_t struct_size;         // sizeof(gpuvae_train_options)
  int64_t batch_size;         // examples per step (100)
  const char* optimizer;      // sgd, rmsprop, rmsprop_tf1, adagrad, adam or adamw (adam)
  double learning_rate;       // above 0 (GPUVAE_OPTIMIZER_DEFAULT)
  double beta1;               // of adam and adamw; momentum of sgd (GPUVAE_OPTIMIZER_DEFAULT)
  double beta2;               // of adam and adamw; rho of rmsprop (GPUVAE_OPTIMIZER_DEFAULT)
  double epsilon;             // added to the denominator of an update (GPUVAE_OPTIMIZER_DEFAULT)
  double l2;                  // L2 penalty; decoupled weight decay of adamw (GPUVAE_OPTIMIZER_DEFAULT)
  double clip_norm;           // largest norm of the gradient; 0: no clipping (0)
  double beta;                // weight of the KL term (1)
  double warmup_epochs;       // epochs over which the KL weight rises from 0 to beta (0)
  double free_bits;           // KL per latent dimension (nats) that is not penalised (0)
  uint64_t seed;              // seed of the data order and the noise (0)
  const char* binarize;       // none, threshold, fixed or dynamic (none)
  double threshold;           // of binarize threshold (0.5)
  int64_t shuffle;            // flag: whether each epoch has a new random order (1)
  int64_t drop_last;          // flag: whether a last batch that is not full is skipped (0)
  int64_t pixel_mean;         // flag: mean over the features instead of the sum; no ELBO (0)
  int64_t batch_sum;          // flag: minimise the sum over the batch instead of the mean (0)
  int64_t frozen_noise;       // flag: whether each example keeps its epsilon in all epochs (0)
  int64_t validation_batch;   // examples per batch of the validation (1000)
  const char* executor;       // auto, eager, graph or fused (auto)
  const char* on_nan;         // stop, skip or rewind (stop)
  double average_decay;       // decay of the moving average of the weights, below 1; 0: no average (0)
  const char* average_form;   // warmup, debiased, first or zero (warmup)
  int64_t patience;           // epochs without a better validation after which training ends; 0: no limit (0)
  int64_t data_output_bias;   // flag: whether the output biases start at the means of the examples (0)
  const char* objective;      // elbo, stl, iwae, iwae_stl, dreg, ciwae, miwae or piwae (elbo)
  int64_t objective_samples;  // draws of z per example; of miwae and piwae: per group (1)
  int64_t objective_groups;   // groups of draws per example (miwae and piwae) (1)
  double objective_mix;       // share of the ELBO, from 0 to 1 (ciwae) (0.5)
  int64_t sampled_kl;         // flag: estimates the KL term from the draws (elbo) (0)
  // Schedule of the learning rate, as the programs' flag --schedule: constant, step, cosine or iwae
  // (constant). Its factors multiply learning_rate and what gpuvae_trainer_set_learning_rate sets.
  const char* schedule;
  int64_t schedule_epochs;        // number of epochs of the whole run, 1 or more; cosine and iwae need it (0)
  double lr_warmup;               // epochs over which the learning rate rises linearly from 0 (0)
  double lr_decay_epochs;         // epochs between two decays, above 0 (step) (30)
  double lr_decay_rate;           // factor of each decay, above 0 (step) (0.1)
  double lr_final;                // learning rate at the end of the run, at most learning_rate (cosine) (0)
  const gpuvae_array* condition;  // of the training examples of a conditional model, copied (NULL)
  // That of the validation examples of a conditional model, copied; NULL without such examples (NULL).
  const gpuvae_array* validation_condition;
} gpuvae_train_options;
// Sets the defaults, as gpuvae_model_options_init does.
GPUVAE_C_API gpuvae_status gpuvae_train_options_init(gpuvae_train_options* options, size_t struct_size);

// Creates a trainer (Trainer::Trainer). The examples `train` and `validation` are [rows, features] as in
// gpuvae_encode, and are copied; `validation` may be NULL. NULL options stand for the defaults. Two trainers
// of one model cannot exist at the same time. The caller frees the trainer by gpuvae_trainer_free.
GPUVAE_C_API gpuvae_status gpuvae_trainer_create(gpuvae_model* model, const gpuvae_array* train,
                                                 const gpuvae_array* validation,
                                                 const gpuvae_train_options* options,
                                                 gpuvae_trainer** trainer);
// Frees a trainer; NULL is ignored. The model stays. A callback may free the trainer that calls it.
GPUVAE_C_API gpuvae_status gpuvae_trainer_free(gpuvae_trainer* trainer);

// What a callback may return. `stop` ends the call that trains; a later call continues at the next step.
enum { GPUVAE_CONTINUE = 0, GPUVAE_STOP = 1 };

// The state of a run after a step.
typedef struct gpuvae_step_report {
  size_t struct_size;    // size of the library's struct
  uint64_t step;         // finished steps of the run
  int64_t epoch;         // epoch of the last finished step, from 1
  gpuvae_losses losses;  // means over the examples since the previous report
  double learning_rate;  // learning rate of the last finished step
} gpuvae_step_report;

// The result of an epoch.
typedef struct gpuvae_epoch_result {
  size_t struct_size;         // as a result: set by the caller; in a callback: size of the library's struct
  int64_t epoch;              // number of the epoch, from 1
  gpuvae_losses train;        // means over the training steps
  gpuvae_losses validation;   // after the training steps; zeros without validation examples
  double train_seconds;       // wall-clock time
  double validation_seconds;  // wall-clock time
  int64_t complete;           // 0 if a callback stopped the epoch; `train` then covers the steps so far
  uint64_t skipped_steps;     // steps that on_nan skip left out
  int64_t rewinds;            // rewinds of the run so far (on_nan rewind)
  int64_t best;               // 1 if no earlier epoch had as good a validation (patience), else 0
} gpuvae_epoch_result;

// The result of gpuvae_trainer_run_steps.
typedef struct gpuvae_steps_result {
  size_t struct_size;    // sizeof(gpuvae_steps_result), set by the caller
  uint64_t steps;        // number of steps that were done
  gpuvae_losses losses;  // means over the examples of these steps
  int64_t stopped;       // 1 if a callback stopped the call, else 0
} gpuvae_steps_result;

// A callback for steps. It runs in the thread that trains and returns GPUVAE_CONTINUE, or any other value to
// stop. It may use the model, and save the model or a checkpoint, but must not train. If a callback in C++
// throws, the call that trains returns GPUVAE_CALLBACK with the exception's text. A callback must not leave
// by longjmp or end its thread.
typedef int (*gpuvae_step_callback)(const gpuvae_step_report* report, void* user);
// A callback for epochs, with the same rules.
typedef int (*gpuvae_epoch_callback)(const gpuvae_epoch_result* result, void* user);

// Adds a callback for all later training calls, which is called whenever the number of finished steps is a
// multiple of `every` (Trainer::on_steps). The library passes `user` on and does not use it.
GPUVAE_C_API gpuvae_status gpuvae_trainer_on_steps(gpuvae_trainer* trainer, uint64_t every,
                                                   gpuvae_step_callback callback, void* user);
// Adds a callback for the end of every epoch (Trainer::on_epoch).
GPUVAE_C_API gpuvae_status gpuvae_trainer_on_epoch(gpuvae_trainer* trainer, gpuvae_epoch_callback callback,
                                                   void* user);
// Trains for up to `epochs` epochs, or the rest of an unfinished one first (Trainer::run_epochs). Writes the
// result of the last one to `last` unless it is NULL; its epoch is 0 if `epochs` is 0.
GPUVAE_C_API gpuvae_status gpuvae_trainer_run_epochs(gpuvae_trainer* trainer, int64_t epochs,
                                                     gpuvae_epoch_result* last);
// Trains for `steps` steps, which may span several epochs (Trainer::run_steps). `result` may be NULL.
GPUVAE_C_API gpuvae_status gpuvae_trainer_run_steps(gpuvae_trainer* trainer, uint64_t steps,
                                                    gpuvae_steps_result* result);
// Gives the model weights of the trainer (Trainer::load_weights): "best", those of the best epoch (patience),
// or "evaluated", the moving average if there is one. Training that goes on then starts from them.
GPUVAE_C_API gpuvae_status gpuvae_trainer_load_weights(gpuvae_trainer* trainer, const char* which);
// Sets the learning rate for later steps (Optimizer::set_learning_rate). A callback may call it.
GPUVAE_C_API gpuvae_status gpuvae_trainer_set_learning_rate(gpuvae_trainer* trainer, double learning_rate);
// Saves all that training needs to continue bit for bit (save_checkpoint). An existing file is replaced,
// completely or not at all.
GPUVAE_C_API gpuvae_status gpuvae_trainer_save(gpuvae_trainer* trainer, const char* path);
// Restores a checkpoint that a trainer with the same options and examples saved, including the model's
// parameters (restore_checkpoint, Trainer::resume). A file that cannot be read, or that belongs to another
// model, optimiser, order or set of examples, is refused and changes nothing.
GPUVAE_C_API gpuvae_status gpuvae_trainer_restore(gpuvae_trainer* trainer, const char* path);

#ifdef __cplusplus
}  // extern "C"
#endif

#endif  // GPUVAE_C_H_
