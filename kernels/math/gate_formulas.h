// The gates of gated dense layers and of inverse autoregressive flows, for scalars and vectors.
// kernels/math/gate.h and the CPU kernels include this file inside their namespaces with GPUVAE_FORMULA
// defined, so it has no include guard.

// The output of a gated dense layer, y = h sigmoid(g): Dauphin et al., "Language modeling with gated
// convolutional networks", 2017.
template <class V>
GPUVAE_FORMULA V gated(V h, V g) {
  return h * sigmoid(g);
}
template <class V>
struct GatedSlopes {
  V h, g;  // dy/dh and dy/dg
};
template <class V>
GPUVAE_FORMULA GatedSlopes<V> gated_slopes(V h, V g) {
  const V e = exp_of_moderate(neg(fabs(g))), whole = constant<V>(1) + e;
  return {sigmoid_from(g, e), h * (e / (whole * whole))};
}

// One element of an inverse autoregressive flow's step: z' = gate z + (1 - gate) m, where gate = sigmoid(s +
// 2), so that a step with s = 0 changes little (Kingma et al., "Improving variational inference with inverse
// autoregressive flow", 2016, section 4). log dz'/dz is log gate.
template <class V>
struct AutoregressiveStep {
  V z, log_gate;
};
template <class V>
GPUVAE_FORMULA AutoregressiveStep<V> autoregressive_step(V z, V m, V s) {
  const V t = s + constant<V>(2);
  return {mul_add(sigmoid(t), z - m, m), neg(softplus(neg(t)))};
}
// The gradient of the loss with respect to z, m and s, given those with respect to z' and log gate.
template <class V>
struct AutoregressiveGradient {
  V z, m, s;
};
template <class V>
GPUVAE_FORMULA AutoregressiveGradient<V> autoregressive_gradient(V z, V m, V s, V d_z, V d_log_gate) {
  const V t = s + constant<V>(2), e = exp_of_moderate(neg(fabs(t)));
  const V gate = sigmoid_from(t, e), rest = sigmoid_from(neg(t), e);  // rest is 1 - gate
  return {d_z * gate, d_z * rest, rest * mul_add(d_z * gate, z - m, d_log_gate)};
}
