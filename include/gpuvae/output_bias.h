// Starts a decoder at the means of the training data.
#pragma once

#include "gpuvae/data.h"
#include "gpuvae/vae.h"

#pragma GCC visibility push(default)
namespace gpuvae {

// Sets the biases of the decoder's last layer such that the mean of p(x | z) starts near the mean of each
// feature over the examples, as IWAE's code does (Burda et al., 2016). For a mean that is the sigmoid of its
// parameter, the bias is logit(m) for the mean m clipped to [0.001, 0.999]; for a mean without a sigmoid it
// is m itself, and for counts and categories it is log m. Each column of a product has the bias of its
// likelihood, for counts at the mean library size. Biases of variances and scales become 0. With
// Binarize::threshold, the means are those of the binarized values. Call it before training. Without it, the
// decoder spends the first updates on the mean example, and the encoder meanwhile saturates.
//
// Throws Error if the examples do not fit the model, or if the likelihood knows no such outputs
// (Likelihood::outputs_of_mean).
void start_output_bias(const Vae& model, const Dataset& examples, const BatchOptions& options = {});

}  // namespace gpuvae
#pragma GCC visibility pop
