// The formulas of the likelihoods. An include inside a namespace, with GPUVAE_FORMULA defined, defines them;
// they call functions of that namespace. The same formulas thus serve scalars (gpuvae/device/likelihood.h)
// and the library's vectors on the CPU, so the file has no include guard.

// A formula has at(p, x, settings), which returns the negative log likelihood of the element x in nats and
// its derivatives with respect to the parameters p.

// The result of a formula with N parameters.
template <class V, int N>
struct Nll {
  V value;      // negative log likelihood, nats
  V slopes[N];  // its derivatives with respect to the parameters
};
// The settings of the formulas with a location and a scale. The others ignore them.
template <class V>
struct LikelihoodSettings {
  bool sigmoid_location;  // whether the location is the sigmoid of its parameter
  V low;                  // lower bound of the log scale or log variance
  V high;                 // upper bound
};
// Returns F::at(p, x, settings) or, if x is NaN and thus a missing value, zeros. F::at() never sees the NaN,
// because its product with 0 would be NaN.
template <class F, class V, int N>
GPUVAE_FORMULA Nll<V, N> observed_nll(const V (&p)[N], V x, const LikelihoodSettings<V>& settings) {
  const auto missing = is_nan(x);
  Nll<V, N> nll = F::at(p, zero_if(missing, x), settings);
  nll.value = zero_if(missing, nll.value);
  for (int k = 0; k < N; ++k) nll.slopes[k] = zero_if(missing, nll.slopes[k]);
  return nll;
}

// The location that a parameter defines, and its derivative.
template <class V>
struct Location {
  V value;  // location, in the units of x
  V slope;  // its derivative with respect to the parameter
};
// Returns the location of a parameter: the parameter itself or, if the settings say so, its sigmoid.
template <class V>
GPUVAE_FORMULA Location<V> location_of(V parameter, const LikelihoodSettings<V>& settings) {
  const V one = constant<V>(1);
  if (!settings.sigmoid_location) return {parameter, one};
  const V location = sigmoid(parameter);
  return {location, location * (one - location)};
}

// Returns the slope of a parameter that is clipped to [low, high]: `slope` inside, 0 outside.
template <class V>
GPUVAE_FORMULA V slope_inside(V parameter, V low, V high, V slope) {
  const auto below = parameter < low;
  const auto above = parameter > high;
  return zero_if(either(below, above), slope);
}

// For the logit l, the value is max(l, 0) - l x + log(1 + exp(-|l|)), and the slope is sigmoid(l) - x.
struct Bernoulli {
  // The number of parameters.
  static constexpr int kParameters = 1;
  // The value is `linear` + log(1 + e). A kernel can thus add several values with one logarithm of the
  // product of all 1 + e.
  template <class V>
  struct Parts {
    V linear;  // max(l, 0) - l x
    V e;       // exp(-|l|)
    V slope;   // sigmoid(l) - x
  };
  // Returns the parts for a logit and an element x of [0, 1].
  template <class V>
  GPUVAE_FORMULA static Parts<V> parts(V logit, V x) {
    const V e = exp_of_moderate(neg(fabs(logit)));
    return {neg_mul_add(logit, x, fmax(logit, constant<V>(0))), e, sigmoid_from(logit, e) - x};
  }
  // Returns the negative log likelihood of x and its derivatives, nats.
  template <class V>
  GPUVAE_FORMULA static Nll<V, 1> at(const V (&p)[1], V x, const LikelihoodSettings<V>&) {
    const Parts<V> of = parts(p[0], x);
    return {of.linear + log1p_of_unit(of.e), {of.slope}};
  }
};

// For the probability p, which is clipped to [1e-7, 1 - 1e-7] as in Keras, the value is -x log p - (1 - x)
// log(1 - p). The slope is 0 where p is clipped.
struct BernoulliOfProbability {
  // The number of parameters.
  static constexpr int kParameters = 1;
  // Returns the negative log likelihood of x and its derivatives, nats.
  template <class V>
  GPUVAE_FORMULA static Nll<V, 1> at(const V (&params)[1], V x, const LikelihoodSettings<V>&) {
    const V one = constant<V>(1), low = constant<V>(math::kProbabilityMargin), high = one - low;
    const V p = clamp(params[0], low, high), q = one - p;
    const V gain = mul_add(x, log_of_positive(p), (one - x) * log1p(neg(p)));
    return {neg(gain), {slope_inside(params[0], low, high, (p - x) / (p * q))}};
  }
};

// For the logit l, the value is A(l) - l x (gpuvae/device/continuous_bernoulli.h), and the slope is the mean
// minus x.
struct ContinuousBernoulliOfLogit {
  // The number of parameters.
  static constexpr int kParameters = 1;
  // Returns the negative log likelihood of x and its derivatives, nats.
  template <class V>
  GPUVAE_FORMULA static Nll<V, 1> at(const V (&p)[1], V x, const LikelihoodSettings<V>&) {
    const auto of = continuous_bernoulli(p[0]);
    return {neg_mul_add(p[0], x, of.log_normalizer), {of.mean - x}};
  }
};

// Returns exp(-x / 2), kept finite so that its product with 0 is 0 and not NaN. Its square is exp(-x)
// wherever exp(-x) is in the range of the type.
template <class V>
GPUVAE_FORMULA V root_of_inverse(V x) {
  const V bound = constant<V>(sizeof(Lane<V>) == 4 ? 88 : 708);
  return exp_of_moderate(clamp(constant<V>(-0.5) * x, neg(bound), bound));
}

// For the mean m and the log variance v, the value is (log 2 pi + v + (x - m)^2 exp(-v)) / 2. v is clipped to
// [low, high], so that the variance can neither vanish nor explode; the slope of v is 0 where it is clipped.
// The quadratic term is computed as u^2 with u = (m - x) exp(-v / 2), which overflows only if the value does.
struct Gaussian {
  // The number of parameters.
  static constexpr int kParameters = 2;
  // Returns the negative log likelihood of x and its derivatives, nats.
  template <class V>
  GPUVAE_FORMULA static Nll<V, 2> at(const V (&p)[2], V x, const LikelihoodSettings<V>& settings) {
    const Location<V> mean = location_of(p[0], settings);
    const V half = constant<V>(0.5), v = clamp(p[1], settings.low, settings.high);
    const V root = root_of_inverse(v), u = (mean.value - x) * root, squared = u * u;
    const V slope = half * (constant<V>(1) - squared);
    return {half * (constant<V>(math::kLogTwoPi) + v + squared),
            {u * root * mean.slope, slope_inside(p[1], settings.low, settings.high, slope)}};
  }
};

// For the location m and the log scale s, the value is log 2 + s + |x - m| exp(-s), with s clipped to [low,
// high]. At x = m, the slope of m is 0.
struct Laplace {
  // The number of parameters.
  static constexpr int kParameters = 2;
  // Returns the negative log likelihood of x and its derivatives, nats.
  template <class V>
  GPUVAE_FORMULA static Nll<V, 2> at(const V (&p)[2], V x, const LikelihoodSettings<V>& settings) {
    const Location<V> location = location_of(p[0], settings);
    const V zero = constant<V>(0), s = clamp(p[1], settings.low, settings.high);
    const V root = root_of_inverse(s), rate = root * root;
    const V difference = location.value - x, scaled = fabs(difference) * root * root;
    const V slope = select(difference > zero, rate, select(difference < zero, neg(rate), difference));
    const V scale_slope = constant<V>(1) - scaled;
    return {constant<V>(math::kLogTwo) + s + scaled,
            {slope * location.slope, slope_inside(p[1], settings.low, settings.high, scale_slope)}};
  }
};
