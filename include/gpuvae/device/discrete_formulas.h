// The formulas of the likelihoods of whole numbers: the discretised logistic distribution of bytes, and the
// distributions of counts. Like likelihood_formulas.h, which is included first, this file is included inside
// a namespace with GPUVAE_FORMULA defined, so it has no include guard.

// Rounds to the nearest whole number. Valid below 2^22 (float) and 2^51 (double).
template <class V>
GPUVAE_FORMULA V rounded(V x) {
  const V magic = constant<V>(sizeof(Lane<V>) == 4 ? 0x1.8p23 : 0x1.8p52);
  return (x + magic) - magic;
}

// The logistic distribution with location m and log scale l, in units where the byte v is the interval [v, v
// + 1] / 256. The intervals of 0 and 255 extend to infinity, so that the 256 probabilities sum to 1 (Kingma
// et al., arXiv:1606.04934; Salimans et al., arXiv:1701.05517). The element x is v / 255, and l is clipped to
// [low, high]. With the limits a and b of the interval in units of the scale, d = a - b and S = sigmoid, the
// probability inside is S(a) - S(b) = S(a) S(-b) (1 - exp(-d)), which does not cancel.
struct DiscretizedLogistic {
  // The number of parameters.
  static constexpr int kParameters = 2;
  // Marks a formula that costs more than the memory it reads: its CUDA kernel has one element per thread.
  static constexpr bool kCostly = true;
  // Returns the negative log likelihood of x and its derivatives, nats.
  template <class V>
  GPUVAE_FORMULA static Nll<V, 2> at(const V (&p)[2], V x, const LikelihoodSettings<V>& settings) {
    const V zero = constant<V>(0), bin = constant<V>(1. / 256);
    const Location<V> location = location_of(p[0], settings);
    const V l = clamp(p[1], settings.low, settings.high), rate = exp_of_moderate(neg(l));
    const V v = rounded(constant<V>(255) * x), lower = bin * v - location.value;
    const V a = (lower + bin) * rate, b = lower * rate, d = bin * rate;
    const auto first = v <= zero, last = v >= constant<V>(255);
    const V e_a = exp_of_moderate(neg(fabs(a))), e_b = exp_of_moderate(neg(fabs(b)));
    const V above = zero_if(last, fmax(neg(a), zero) + log1p_of_unit(e_a));  // -log S(a)
    const V below = zero_if(first, fmax(b, zero) + log1p_of_unit(e_b));      // -log S(-b)
    const V inside = neg(expm1(neg(d)));                                     // 1 - exp(-d)
    const V tail_a = zero_if(last, sigmoid_from(neg(a), e_a));
    const V tail_b = zero_if(first, sigmoid_from(b, e_b));
    const auto edge = either(first, last);
    const V value = above + below - zero_if(edge, log_of_positive(inside));
    const V slope = a * tail_a - b * tail_b + zero_if(edge, d * exp_of_moderate(neg(d)) / inside);
    return {
        value,
        {(tail_a - tail_b) * rate * location.slope, slope_inside(p[1], settings.low, settings.high, slope)}};
  }
};

// ---- counts ----
// The probabilities of counts are computed in the saddle-point form of C. Loader ("Fast and accurate
// computation of binomial probabilities", 2000), which R uses, too. Formulas with log Gamma lose all digits
// in f32 for large counts.

// T(u) = log Gamma(u) - ((u - 1/2) log u - u + log(2 pi) / 2), the error of Stirling's formula, for u > 0.
// Below a limit, the argument is raised by Gamma(u + 1) = u Gamma(u).
template <class V>
GPUVAE_FORMULA V stirling_error(V u) {
  constexpr int kShift = sizeof(Lane<V>) == 4 ? 3 : 8, kTerms = sizeof(Lane<V>) == 4 ? 4 : 8;
  const V half = constant<V>(0.5), shift = constant<V>(kShift);
  const auto is_small = u < shift;
  const V y = select(is_small, u + shift, u), inverse = constant<V>(1) / y;
  V product = u + constant<V>(1);
  for (int i = 2; i < kShift; ++i) product = product * (u + constant<V>(i));
  const V raised =
      (y - half) * log_of_positive(y) - (u + half) * log_of_positive(u) - log_of_positive(product) - shift;
  const V series = inverse * power_series<math::kStirlingErrorSeries, kTerms>(inverse * inverse);
  return series + select(is_small, raised, constant<V>(0));
}

// artanh(w) - w for |w| <= 1/10.
template <class V>
GPUVAE_FORMULA V artanh_tail(V w) {
  const V z = w * w;
  return w * z * power_series<math::kArtanhTail, (sizeof(Lane<V>) == 4 ? 4 : 8)>(z);
}

// The deviance x log(x / mean) - difference of a count x > 0, where difference = x - mean is given, because
// the caller may know it more accurately.
template <class V>
GPUVAE_FORMULA V deviance(V x, V mean, V difference) {
  const V w = difference / (x + mean);
  const V series = difference * w + (x + x) * artanh_tail(w);
  const V direct = x * log_of_positive(x / mean) - difference;
  return select(fabs(w) < constant<V>(0.1), series, direct);
}

// log(1 + u) - u, where `whole` is 1 + u.
template <class V>
GPUVAE_FORMULA V log1p_minus(V u, V whole) {
  const V w = u / (constant<V>(2) + u), tail = artanh_tail(w);
  return select(fabs(u) < constant<V>(0.1), tail + tail - u * w, log_of_positive(whole) - u);
}

// (psi(n) - log n) - (psi(k) - log k) for n = k + x, where psi is the derivative of log Gamma.
template <class V>
GPUVAE_FORMULA V digamma_remainder(V k, V n, V x) {
  constexpr int kShift = sizeof(Lane<V>) == 4 ? 3 : 8, kTerms = sizeof(Lane<V>) == 4 ? 4 : 7;
  const V one = constant<V>(1), shift = constant<V>(kShift);
  const auto is_small = k < shift;
  const V raised_k = select(is_small, k + shift, k), raised_n = select(is_small, n + shift, n);
  const V a = one / raised_k, b = one / raised_n, a2 = a * a, b2 = b * b;
  const V tail = b2 * b2 * power_series<math::kDigammaTail, kTerms>(b2) -
                 a2 * a2 * power_series<math::kDigammaTail, kTerms>(a2);
  V sum = constant<V>(0);
  for (int i = 0; i < kShift; ++i) sum = sum + one / ((n + constant<V>(i)) * (k + constant<V>(i)));
  const V step = log_of_positive(raised_n * a * (k / n)) + x * sum;
  return x * a * b * (constant<V>(0.5) + (a + b) * constant<V>(1. / 12)) + tail +
         select(is_small, step, constant<V>(0));
}

// For the log mean e, which is clipped to [-kLargestLogCount, kLargestLogCount], the value is -log of
// exp(-mean) mean^x / x!. The slope is mean - x.
struct Poisson {
  // The number of parameters.
  static constexpr int kParameters = 1;
  // Marks a formula that costs more than the memory it reads: its CUDA kernel has one element per thread.
  static constexpr bool kCostly = true;
  // Returns the negative log likelihood of x and its derivatives, nats.
  template <class V>
  GPUVAE_FORMULA static Nll<V, 1> at(const V (&p)[1], V x, const LikelihoodSettings<V>&) {
    const V high = constant<V>(math::kLargestLogCount), low = neg(high), zero = constant<V>(0);
    const V mean = exp_of_moderate(clamp(p[0], low, high)), difference = x - mean;
    const V value = deviance(x, mean, difference) + stirling_error(x) +
                    constant<V>(0.5) * (log_of_positive(x) + constant<V>(math::kLogTwoPi));
    return {select(x > zero, value, mean), {slope_inside(p[0], low, high, neg(difference))}};
  }
};

// The negative binomial distribution with mean mu = exp(e) and variance mu + mu^2 / k, where k = exp(r). The
// parameters e and r are clipped to [-kLargestLogCount, kLargestLogCount].
struct NegativeBinomial {
  // The number of parameters.
  static constexpr int kParameters = 2;
  // Marks a formula that costs more than the memory it reads: its CUDA kernel has one element per thread.
  static constexpr bool kCostly = true;
  // What the formula computes for a count x.
  template <class V>
  struct Terms {
    V value;      // -log P(x), nats
    V empty;      // -log P(0), nats
    V slopes[2];  // derivatives of the value with respect to e and r
  };
  // Returns the terms for the log mean e, the log inverse dispersion r and a count x of 0 or more.
  template <class V>
  GPUVAE_FORMULA static Terms<V> terms(V log_mean, V log_size, V x) {
    const V high = constant<V>(math::kLargestLogCount), low = neg(high), half = constant<V>(0.5);
    const V mean = exp_of_moderate(clamp(log_mean, low, high)),
            k = exp_of_moderate(clamp(log_size, low, high));
    const V n = k + x, total = k + mean, share = k / total, u = (x - mean) / total, t = share * (x - mean);
    const V empty = k * log1p(mean / k);
    const V saddle = deviance(k, n * share, neg(t)) + deviance(x, n * (mean / total), t) + stirling_error(k) +
                     stirling_error(x) - stirling_error(n) -
                     half * (log_of_positive(k / n / x) - constant<V>(math::kLogTwoPi));
    const V growth = log1p_minus(u, n / total) + digamma_remainder(k, n, x);
    return {select(x > constant<V>(0), saddle, empty),
            empty,
            {slope_inside(log_mean, low, high, neg(t)), slope_inside(log_size, low, high, neg(k * growth))}};
  }
  // Returns the negative log likelihood of x and its derivatives, nats.
  template <class V>
  GPUVAE_FORMULA static Nll<V, 2> at(const V (&p)[2], V x, const LikelihoodSettings<V>&) {
    const Terms<V> of = terms(p[0], p[1], x);
    return {of.value, {of.slopes[0], of.slopes[1]}};
  }
};

// With probability sigmoid(g), the count is 0; otherwise it is drawn from the negative binomial distribution
// with the parameters e and r. The parameters are e, r and g.
struct ZeroInflatedNegativeBinomial {
  // The number of parameters.
  static constexpr int kParameters = 3;
  // Marks a formula that costs more than the memory it reads: its CUDA kernel has one element per thread.
  static constexpr bool kCostly = true;
  // Returns the negative log likelihood of x and its derivatives, nats.
  template <class V>
  GPUVAE_FORMULA static Nll<V, 3> at(const V (&p)[3], V x, const LikelihoodSettings<V>&) {
    const auto of = NegativeBinomial::terms(p[0], p[1], x);
    const V gate = p[2], one = constant<V>(1), drawn = neg(of.empty) - gate;
    const auto positive = x > constant<V>(0);
    const V weight = select(positive, one, sigmoid(drawn));
    const V value = select(positive, softplus(gate) + of.value, softplus(neg(gate)) - softplus(drawn));
    return {value,
            {weight * of.slopes[0], weight * of.slopes[1],
             select(positive, sigmoid(gate), weight - sigmoid(neg(gate)))}};
  }
};
