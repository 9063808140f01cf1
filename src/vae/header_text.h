// Parts of an exported header as C text: numbers, arrays and element-wise functions.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "kernels/math/elementwise.h"

namespace gpuvae {

// @{
// Returns the shortest decimal literal that a C compiler reads as exactly `value`, which must be finite. A
// float literal is exact even in compilers that round to double first.
std::string c_literal(float value);
std::string c_literal(double value);
// @}

// @{
// Returns the definition of an array, with several numbers per line. `declaration` is the part before the
// length, such as "static const float weight".
std::string c_array(std::string_view declaration, std::span<const float> values);
std::string c_array(std::string_view declaration, std::span<const double> values);
// @}

// Returns the statements that compute f(x) for a float x, as the body of a C function. The formulas are those
// of kernels/math/elementwise.h. Throws Error (unsupported) for functions that no exported header uses.
std::string c_body(kernels::Unary function);

}  // namespace gpuvae
