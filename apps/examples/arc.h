/* A variational autoencoder, exported by gpuvae 0.1.0. Each function handles one row. The arrays
 * of a call must not overlap. A call uses at most 64 bytes of stack for hidden layers.
 *
 *   arc_encode(x, mean, stddev)    x [2]: mean and standard deviation of z, [1] each; stddev may be null
 *   arc_decode(z, mean)            z [1]: mean of x, [2]
 *   arc_decode_params(z, params)   z [1]: parameters of the likelihood, [2]
 *   arc_scale(row, x)              row [2] in the units of the file: x as in training
 *   arc_unscale(x, row)            the reverse of arc_scale
 *
 * With nvcc and NVRTC, these are device functions. The weights are in constant memory if they are small,
 * otherwise in global memory. To choose, define arc_WEIGHTS, for example as `static __device__ const`.
 * Other compilers get plain C99 or C++.
 *
 * Training data: numbers from -9.999923 to 9.999923, with standardised columns
 *
 * Model: vae, preset default, seed 1; data: arc.csv: 2 columns, standardised
 * Columns: x, y
 */
#ifndef GPUVAE_EXPORTED_arc
#define GPUVAE_EXPORTED_arc

#if defined(__CUDACC__) || defined(__CUDACC_RTC__)
#define arc_FUNCTION static __device__ inline
#ifndef arc_WEIGHTS
#define arc_WEIGHTS static __constant__ const
#endif
#else
#include <math.h>
#define arc_FUNCTION static inline
#ifndef arc_WEIGHTS
#define arc_WEIGHTS static const
#endif
#endif

enum { arc_features = 2, arc_latent = 1, arc_params = 2 };

arc_WEIGHTS float arc_encoder_0_weight[16] = {
    -0.11825697f, -0.030304108f, -0.43071055f, 0.5135775f,  0.47910237f, 0.009369304f,
    -0.6083827f,  0.40977594f,   -0.3662656f,  -0.5582209f, 0.49892396f, -0.22929314f,
    -0.50763893f, 0.98656684f,   -0.17954256f, 0.5053432f,
};
arc_WEIGHTS float arc_encoder_0_bias[8] = {
    -0.9037573f, 1.417994f, 0.534063f, 1.3688856f, -1.7097532f, -0.2558118f, 1.1921916f, -0.5073597f,
};
arc_WEIGHTS float arc_posterior_weight[16] = {
    0.55407864f, 0.8653745f,  -1.0481364f, 1.1332769f,   0.9167094f, -0.49302244f, -0.49399513f, -0.28943318f,
    1.7124351f,  -1.5750105f, 0.14852718f, -0.32518613f, 2.1135666f, 0.061870784f, 0.20234716f,  1.3171848f,
};
arc_WEIGHTS float arc_posterior_bias[2] = {
    0.15153868f,
    -0.8418299f,
};
arc_WEIGHTS float arc_decoder_0_weight[8] = {
    -1.1065648f, 0.036553364f, -1.1084348f, -0.16244887f, -1.2037112f, -1.0485667f, 0.7886494f, -0.95674306f,
};
arc_WEIGHTS float arc_decoder_0_bias[8] = {
    -0.6637465f, 1.0877713f, 0.737874f, -0.2730349f, 0.1796381f, -1.2032607f, -0.7815425f, -0.7923058f,
};
arc_WEIGHTS float arc_output_weight[16] = {
    1.0283409f,   0.034610633f, 0.113523796f, -0.11986528f, 0.84146434f, -0.1008987f,
    0.01932983f,  -0.39525563f, -0.92916155f, -1.220668f,   0.9531647f,  1.2526538f,
    0.062043153f, -1.1362449f,  -1.432575f,   -0.80398387f,
};
arc_WEIGHTS float arc_output_bias[2] = {
    -0.07319472f,
    -1.1081351f,
};

/* y[o] = b[o] + sum over i of w[o][i] x[i], in four partial sums. */
arc_FUNCTION void arc_dense(const float* w, const float* b, int inputs, int outputs, const float* x,
                            float* y) {
  int o, i;
  for (o = 0; o < outputs; ++o, w += inputs) {
    float s0 = 0.0f, s1 = 0.0f, s2 = 0.0f, s3 = 0.0f;
    for (i = 0; i + 3 < inputs; i += 4) {
      s0 += w[i] * x[i];
      s1 += w[i + 1] * x[i + 1];
      s2 += w[i + 2] * x[i + 2];
      s3 += w[i + 3] * x[i + 3];
    }
    for (; i < inputs; ++i) s0 += w[i] * x[i];
    y[o] = b[o] + ((s0 + s1) + (s2 + s3));
  }
}

arc_FUNCTION float arc_tanh(float x) { return tanhf(x); }

arc_FUNCTION void arc_encode(const float* x, float* mean, float* stddev) {
  float h0[8];
  int i;
  arc_dense(arc_encoder_0_weight, arc_encoder_0_bias, 2, 8, x, h0);
  for (i = 0; i < 8; ++i) h0[i] = arc_tanh(h0[i]);
  arc_dense(arc_posterior_weight, arc_posterior_bias, 8, 1, h0, mean);
  if (!stddev) return;
  arc_dense(arc_posterior_weight + 8, arc_posterior_bias + 1, 8, 1, h0, stddev);
  for (i = 0; i < 1; ++i) stddev[i] = expf(0.5f * stddev[i]);
}

arc_FUNCTION void arc_decode(const float* z, float* mean) {
  float h0[8];
  int i;
  arc_dense(arc_decoder_0_weight, arc_decoder_0_bias, 1, 8, z, h0);
  for (i = 0; i < 8; ++i) h0[i] = arc_tanh(h0[i]);
  arc_dense(arc_output_weight, arc_output_bias, 8, 2, h0, mean);
}

arc_FUNCTION void arc_decode_params(const float* z, float* params) {
  float h0[8];
  int i;
  arc_dense(arc_decoder_0_weight, arc_decoder_0_bias, 1, 8, z, h0);
  for (i = 0; i < 8; ++i) h0[i] = arc_tanh(h0[i]);
  arc_dense(arc_output_weight, arc_output_bias, 8, 2, h0, params);
}

arc_WEIGHTS double arc_column_mean[2] = {
    -0.02352639166666748,
    6.374618463888882,
};
arc_WEIGHTS double arc_column_stddev[2] = {
    7.048792499387882,
    3.110982073119954,
};

arc_FUNCTION void arc_scale(const double* row, float* x) {
  int i;
  for (i = 0; i < 2; ++i)
    x[i] = arc_column_stddev[i] > 0 ? (float)((row[i] - arc_column_mean[i]) / arc_column_stddev[i]) : 0.0f;
}

arc_FUNCTION void arc_unscale(const float* x, double* row) {
  int i;
  for (i = 0; i < 2; ++i) row[i] = (double)x[i] * arc_column_stddev[i] + arc_column_mean[i];
}

#endif
