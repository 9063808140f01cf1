// The terms of a draw z = mean + noise_std epsilon sigma from q = N(mean, (noise_std sigma)^2), in one
// dimension: its share of log p(z) - log q(z), and the gradient. An include inside a namespace, with
// GPUVAE_FORMULA defined, defines the formulas for scalars (kernels/cuda/ops/posterior_draws.cu) or vectors
// (kernels/cpu/ops/posterior_draws.cpp), so the file has no include guard.

// Returns log N(z; 0, 1) - log q(z) if `standard_normal` is true, else -log q(z). log q(z) is -(epsilon^2 +
// log 2 pi) / 2 - log_stddev, with log_stddev = log(noise_std sigma).
template <class V>
GPUVAE_FORMULA V log_ratio_of(V epsilon, V z, V log_stddev, bool standard_normal) {
  const V half = constant<V>(0.5);
  if (standard_normal) return mul_add(half * (epsilon - z), epsilon + z, log_stddev);
  return mul_add(half * epsilon, epsilon, log_stddev + constant<V>(0.5 * math::kLogTwoPi));
}

// The gradient with respect to the mean and the scale parameter s.
template <class V>
struct DrawSlopes {
  V mean, s;
};
// The arguments are the gradients with respect to z (log p(z) included) and to -log q(z), then epsilon,
// noise_std, and sigma with its derivative and that of log sigma with respect to s. If `stopped` is true, the
// parameters in -log q(z) = (z - mean)^2 / (2 (noise_std sigma)^2) + log sigma + ... count as constants, so
// that only its derivative with respect to z counts, which is epsilon / (noise_std sigma). Otherwise this
// derivative and those with respect to the parameters add up to d log sigma / d s.
template <class V>
GPUVAE_FORMULA DrawSlopes<V> draw_slopes(V d_z, V ratio, V epsilon, V noise_std, V sigma, V slope,
                                         V log_slope, bool stopped) {
  const V d_sigma = d_z * (noise_std * epsilon);
  const V d_s = d_sigma * factor_for(d_sigma, slope);
  const V d_log_sigma = ratio * factor_for(ratio, log_slope);
  if (!stopped) return {d_z, d_s + d_log_sigma};
  return {d_z + ratio * epsilon / (noise_std * sigma), d_s + d_log_sigma * (epsilon * epsilon)};
}
