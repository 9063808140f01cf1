// Operators on variables, defined by the named operations.
#include "gpuvae/ops.h"

namespace gpuvae {

Variable operator+(const Variable& a, const Variable& b) { return add(a, b); }
Variable operator-(const Variable& a, const Variable& b) { return subtract(a, b); }
Variable operator*(const Variable& a, const Variable& b) { return multiply(a, b); }
Variable operator/(const Variable& a, const Variable& b) { return divide(a, b); }
Variable operator-(const Variable& x) { return affine(x, -1, 0); }

Variable operator+(const Variable& a, double b) { return affine(a, 1, b); }
Variable operator+(double a, const Variable& b) { return affine(b, 1, a); }
Variable operator-(const Variable& a, double b) { return affine(a, 1, -b); }
Variable operator-(double a, const Variable& b) { return affine(b, -1, a); }
Variable operator*(const Variable& a, double b) { return affine(a, b, 0); }
Variable operator*(double a, const Variable& b) { return affine(b, a, 0); }
Variable operator/(const Variable& a, double b) { return affine(a, 1 / b, 0); }
Variable operator/(double a, const Variable& b) {
  const Variable inverse = reciprocal(b);
  return a == 1 ? inverse : affine(inverse, a, 0);
}

}  // namespace gpuvae
