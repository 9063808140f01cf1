// Building blocks of the other formulas, for scalars and vectors. Both gpuvae/device/scalar.h and
// kernels/cpu/simd/simd_math-inl.h include this file inside their namespace with GPUVAE_FORMULA defined, so
// it has no include guard.

// Returns the sum of the first `terms` terms of c[0] + c[1] z + c[2] z^2 + ... The table is a template
// argument, so that device code contains the coefficients as constants and does not access a host array.
template <const auto& table, int terms, int i = 0, class V>
GPUVAE_FORMULA V power_series(V z) {
  constexpr double c = table.c[i];
  if constexpr (i + 1 == terms) {
    return constant<V>(c);
  } else {
    return mul_add(z, power_series<table, terms, i + 1>(z), constant<V>(c));
  }
}

// 1 / (1 + exp(-x)), computed from e = exp(-|x|), which never overflows.
template <class V>
GPUVAE_FORMULA V sigmoid_from(V x, V e) {
  const V one = constant<V>(1);
  return select(x >= constant<V>(0), one, e) / (one + e);
}
// 1 / (1 + exp(-x)).
template <class V>
GPUVAE_FORMULA V sigmoid(V x) {
  return sigmoid_from(x, exp_of_moderate(neg(fabs(x))));
}

// log(1 + exp(x)) without overflow: max(x, 0) + log(1 + exp(-|x|)).
template <class V>
GPUVAE_FORMULA V softplus(V x) {
  return keep_nan(x, fmax(x, constant<V>(0)) + log1p_of_unit(exp_of_moderate(neg(fabs(x)))));
}
