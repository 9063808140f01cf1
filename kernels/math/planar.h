// A layer of a planar flow, z' = z + u' tanh(w.z + b) (Rezende and Mohamed, "Variational inference with
// normalizing flows", 2015, section 4.1 and appendix A.1). u' = u + c w with c = (m - w.u) / |w|^2, where m =
// softplus(w.u) - 1, so that w.u' = m > -1 and the layer is invertible. log det = log(1 + (1 - tanh^2) m). If
// w is 0, the layer has c = m = 0. A row needs only the dot products below; the vectors follow from the
// returned scalars.
#pragma once

#include "gpuvae/device/scalar.h"

namespace gpuvae::math {

// The scalars of a layer. With t = tanh(w.z + b), z' = z + t u + t c w.
template <class T>
struct PlanarLayer {
  T wu, ww;   // w.u and |w|^2
  T c, soft;  // soft = softplus(w.u), which is m + 1
  T tanh, slope;
  T det;  // 1 + (1 - tanh^2) m, as a sum of two numbers of 0 or more
};
template <class T>
GPUVAE_HD PlanarLayer<T> planar_layer(T wz_plus_b, T wu, T ww) {
  PlanarLayer<T> layer;
  layer.wu = wu;
  layer.ww = ww;
  const bool none = ww == T(0);
  layer.soft = none ? T(1) : softplus(wu);
  layer.c = none ? T(0) : (layer.soft - T(1) - wu) / ww;
  layer.tanh = tanh(wz_plus_b);
  // 1 - tanh^2 without the rounding error of the difference, where tanh is almost 1.
  const T e = exp(T(-2) * fabs(wz_plus_b)), whole = T(1) + e;
  layer.slope = T(4) * e / (whole * whole);
  layer.det = layer.tanh * layer.tanh + layer.slope * layer.soft;
  return layer;
}
template <class T>
GPUVAE_HD T planar_log_det(const PlanarLayer<T>& layer) {
  const T change = layer.slope * (layer.soft - T(1));
  return change > T(-0.5) ? log1p(change) : log(layer.det);
}

// The scalars of the backward pass. With g, the gradient with respect to z':
//   d_z = g + a w,  d_b = a,  d_u = tanh g + q w,  d_w = a z + tanh c g + q u + r w
// `gu` and `gw` are g.u and g.w.
template <class T>
struct PlanarSlopes {
  T a, q, r;
};
template <class T>
GPUVAE_HD PlanarSlopes<T> planar_slopes(const PlanarLayer<T>& layer, T gu, T gw, T d_log_det) {
  const T m = layer.soft - T(1), d_slope = d_log_det * m / layer.det;
  const T a = (gu + layer.c * gw - T(2) * layer.tanh * d_slope) * layer.slope;
  if (layer.ww == T(0)) return {a, T(0), T(0)};
  const T d_c = layer.tanh * gw / layer.ww;
  const T d_m = d_log_det * layer.slope / layer.det + d_c;
  return {a, d_m * sigmoid(layer.wu) - d_c, T(-2) * d_c * layer.c};
}

}  // namespace gpuvae::math
