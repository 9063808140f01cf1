// Checks that a value of an enumeration is one of its enumerators. A caller may have cast any number to the
// enumeration, for example in a binding for another language.
#pragma once

#include "gpuvae/enums.h"
#include "gpuvae/log.h"
#include "kernels/check.h"

namespace gpuvae {

// The number of enumerators of an enumeration whose values count from 0. kernels/types.cpp compares it with
// the number of names.
template <class E>
inline constexpr unsigned kEnumerators = 0;
template <>
inline constexpr unsigned kEnumerators<DType> = 5;
template <>
inline constexpr unsigned kEnumerators<Axis> = 3;
template <>
inline constexpr unsigned kEnumerators<Activation> = 8;
template <>
inline constexpr unsigned kEnumerators<Precision> = 3;
template <>
inline constexpr unsigned kEnumerators<PosteriorScale> = 3;
template <>
inline constexpr unsigned kEnumerators<EncoderGradient> = 3;
template <>
inline constexpr unsigned kEnumerators<ObjectiveKind> = 8;
template <>
inline constexpr unsigned kEnumerators<Binarize> = 4;
template <>
inline constexpr unsigned kEnumerators<OptimizerKind> = 6;
template <>
inline constexpr unsigned kEnumerators<AverageForm> = 4;
template <>
inline constexpr unsigned kEnumerators<Executor> = 4;
template <>
inline constexpr unsigned kEnumerators<OnNan> = 3;
template <>
inline constexpr unsigned kEnumerators<ErrorKind> = 6;
template <>
inline constexpr unsigned kEnumerators<LogLevel> = 3;

// Throws Error if `value` is not an enumerator. `what` names the setting in the message, such as "dtype".
template <class E>
void check_enumerator(const char* operation, const char* what, E value) {
  constexpr unsigned kCount = kEnumerators<E>;  // a copy, so that no symbol of the template is exported
  static_assert(kCount > 0, "list the enumeration above");
  check(static_cast<unsigned>(value) < kCount, operation, "expected a {} below {}, got number {}", what,
        kCount, static_cast<unsigned>(value));
}

}  // namespace gpuvae
