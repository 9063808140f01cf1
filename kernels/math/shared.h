// Small formulas that larger ones are made of, for scalars and vectors. Included inside the namespace of each
// (kernels/math/scalar.h, kernels/cpu/simd_math-inl.h) with GPUVAE_FORMULA defined, so it has no include
// guard.

// 1 / (1 + exp(-x)), given e = exp(-|x|), which never overflows.
template <class V>
GPUVAE_FORMULA V sigmoid_from(V x, V e) {
  const V one = constant<V>(1);
  return select(x >= constant<V>(0), one, e) / (one + e);
}
template <class V>
GPUVAE_FORMULA V sigmoid(V x) {
  return sigmoid_from(x, exp_of_moderate(neg(fabs(x))));
}

// log(1 + exp(x)) without overflow: max(x, 0) + log(1 + exp(-|x|)).
template <class V>
GPUVAE_FORMULA V softplus(V x) {
  return keep_nan(x, fmax(x, constant<V>(0)) + log1p_of_unit(exp_of_moderate(neg(fabs(x)))));
}
