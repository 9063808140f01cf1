/* The binary layout of the structs of gpuvae/c.h, version 1 of the interface. Members may only be added at
   the end: a new line here, and no change of a line. Compiling this file is the test. */
#include "gpuvae/c.h"

#define LAYOUT(structure, member, offset) \
  typedef char layout_of_##structure##_##member[offsetof(structure, member) == (offset) ? 1 : -1]

LAYOUT(gpuvae_array, data, 0);
LAYOUT(gpuvae_array, dtype, 8);
LAYOUT(gpuvae_array, rows, 16);
LAYOUT(gpuvae_array, columns, 24);
LAYOUT(gpuvae_array, row_stride, 32);

LAYOUT(gpuvae_model_options, struct_size, 0);
LAYOUT(gpuvae_model_options, features, 8);
LAYOUT(gpuvae_model_options, latent, 16);
LAYOUT(gpuvae_model_options, encoder_widths, 24);
LAYOUT(gpuvae_model_options, encoder_layers, 32);
LAYOUT(gpuvae_model_options, decoder_widths, 40);
LAYOUT(gpuvae_model_options, decoder_layers, 48);
LAYOUT(gpuvae_model_options, activation, 56);
LAYOUT(gpuvae_model_options, likelihood, 64);
LAYOUT(gpuvae_model_options, sigmoid_mean, 72);
LAYOUT(gpuvae_model_options, sigma, 80);
LAYOUT(gpuvae_model_options, log_variance_low, 88);
LAYOUT(gpuvae_model_options, log_variance_high, 96);
LAYOUT(gpuvae_model_options, prior, 104);
LAYOUT(gpuvae_model_options, prior_components, 112);
LAYOUT(gpuvae_model_options, device, 120);
LAYOUT(gpuvae_model_options, seed, 128);
LAYOUT(gpuvae_model_options, height, 136);
LAYOUT(gpuvae_model_options, column_types, 144);
LAYOUT(gpuvae_model_options, library_reference, 152);
LAYOUT(gpuvae_model_options, missing_values, 160);
LAYOUT(gpuvae_model_options, log1p_counts, 168);
LAYOUT(gpuvae_model_options, log_scale_low, 176);
LAYOUT(gpuvae_model_options, log_scale_high, 184);
LAYOUT(gpuvae_model_options, gated, 192);
LAYOUT(gpuvae_model_options, posterior, 200);
LAYOUT(gpuvae_model_options, init, 208);
LAYOUT(gpuvae_model_options, condition_columns, 216);
LAYOUT(gpuvae_model_options, condition_classes, 224);

LAYOUT(gpuvae_model_info, struct_size, 0);
LAYOUT(gpuvae_model_info, features, 8);
LAYOUT(gpuvae_model_info, latent, 16);
LAYOUT(gpuvae_model_info, parameter_count, 24);
LAYOUT(gpuvae_model_info, height, 32);
LAYOUT(gpuvae_model_info, width, 40);
LAYOUT(gpuvae_model_info, bytes, 48);
LAYOUT(gpuvae_model_info, standardized, 56);
LAYOUT(gpuvae_model_info, epochs, 64);
LAYOUT(gpuvae_model_info, condition_columns, 72);
LAYOUT(gpuvae_model_info, condition_classes, 80);

LAYOUT(gpuvae_evaluate_options, struct_size, 0);
LAYOUT(gpuvae_evaluate_options, samples, 8);
LAYOUT(gpuvae_evaluate_options, seed, 16);
LAYOUT(gpuvae_evaluate_options, binarize, 24);
LAYOUT(gpuvae_evaluate_options, threshold, 32);
LAYOUT(gpuvae_evaluate_options, batch_rows, 40);
LAYOUT(gpuvae_evaluate_options, condition, 48);

LAYOUT(gpuvae_likelihood, log_likelihood, 0);
LAYOUT(gpuvae_likelihood, standard_error, 8);
LAYOUT(gpuvae_likelihood, effective_samples, 16);
LAYOUT(gpuvae_losses, loss, 0);
LAYOUT(gpuvae_losses, reconstruction, 8);
LAYOUT(gpuvae_losses, kl, 16);

LAYOUT(gpuvae_train_options, struct_size, 0);
LAYOUT(gpuvae_train_options, batch_size, 8);
LAYOUT(gpuvae_train_options, optimizer, 16);
LAYOUT(gpuvae_train_options, learning_rate, 24);
LAYOUT(gpuvae_train_options, beta1, 32);
LAYOUT(gpuvae_train_options, beta2, 40);
LAYOUT(gpuvae_train_options, epsilon, 48);
LAYOUT(gpuvae_train_options, l2, 56);
LAYOUT(gpuvae_train_options, clip_norm, 64);
LAYOUT(gpuvae_train_options, beta, 72);
LAYOUT(gpuvae_train_options, warmup_epochs, 80);
LAYOUT(gpuvae_train_options, free_bits, 88);
LAYOUT(gpuvae_train_options, seed, 96);
LAYOUT(gpuvae_train_options, binarize, 104);
LAYOUT(gpuvae_train_options, threshold, 112);
LAYOUT(gpuvae_train_options, shuffle, 120);
LAYOUT(gpuvae_train_options, drop_last, 128);
LAYOUT(gpuvae_train_options, pixel_mean, 136);
LAYOUT(gpuvae_train_options, batch_sum, 144);
LAYOUT(gpuvae_train_options, frozen_noise, 152);
LAYOUT(gpuvae_train_options, validation_batch, 160);
LAYOUT(gpuvae_train_options, executor, 168);
LAYOUT(gpuvae_train_options, on_nan, 176);
LAYOUT(gpuvae_train_options, average_decay, 184);
LAYOUT(gpuvae_train_options, average_form, 192);
LAYOUT(gpuvae_train_options, patience, 200);
LAYOUT(gpuvae_train_options, data_output_bias, 208);
LAYOUT(gpuvae_train_options, objective, 216);
LAYOUT(gpuvae_train_options, objective_samples, 224);
LAYOUT(gpuvae_train_options, objective_groups, 232);
LAYOUT(gpuvae_train_options, objective_mix, 240);
LAYOUT(gpuvae_train_options, sampled_kl, 248);
LAYOUT(gpuvae_train_options, schedule, 256);
LAYOUT(gpuvae_train_options, schedule_epochs, 264);
LAYOUT(gpuvae_train_options, lr_warmup, 272);
LAYOUT(gpuvae_train_options, lr_decay_epochs, 280);
LAYOUT(gpuvae_train_options, lr_decay_rate, 288);
LAYOUT(gpuvae_train_options, lr_final, 296);
LAYOUT(gpuvae_train_options, condition, 304);
LAYOUT(gpuvae_train_options, validation_condition, 312);

LAYOUT(gpuvae_step_report, struct_size, 0);
LAYOUT(gpuvae_step_report, step, 8);
LAYOUT(gpuvae_step_report, epoch, 16);
LAYOUT(gpuvae_step_report, losses, 24);
LAYOUT(gpuvae_step_report, learning_rate, 48);

LAYOUT(gpuvae_epoch_result, struct_size, 0);
LAYOUT(gpuvae_epoch_result, epoch, 8);
LAYOUT(gpuvae_epoch_result, train, 16);
LAYOUT(gpuvae_epoch_result, validation, 40);
LAYOUT(gpuvae_epoch_result, train_seconds, 64);
LAYOUT(gpuvae_epoch_result, validation_seconds, 72);
LAYOUT(gpuvae_epoch_result, complete, 80);
LAYOUT(gpuvae_epoch_result, skipped_steps, 88);
LAYOUT(gpuvae_epoch_result, rewinds, 96);
LAYOUT(gpuvae_epoch_result, best, 104);

LAYOUT(gpuvae_steps_result, struct_size, 0);
LAYOUT(gpuvae_steps_result, steps, 8);
LAYOUT(gpuvae_steps_result, losses, 16);
LAYOUT(gpuvae_steps_result, stopped, 40);

typedef char status_values[GPUVAE_OK == 0 && GPUVAE_INVALID_ARGUMENT == 1 && GPUVAE_UNSUPPORTED == 2 &&
                                   GPUVAE_OUT_OF_MEMORY == 3 && GPUVAE_IO == 4 && GPUVAE_CUDA == 5 &&
                                   GPUVAE_NOT_FINITE == 6 && GPUVAE_CALLBACK == 7 && GPUVAE_INTERNAL == 8 &&
                                   GPUVAE_CONTINUE == 0 && GPUVAE_STOP == 1 && GPUVAE_F32 == 0 &&
                                   GPUVAE_F64 == 1 && GPUVAE_U8 == 2
                               ? 1
                               : -1];
