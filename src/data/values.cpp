#include "src/data/values.h"

#include "kernels/check.h"

namespace gpuvae {

const char* name(ValueKind kind) {
  constexpr const char* kNames[] = {"bytes", "unit", "signed-unit", "counts", "standardized", "any"};
  return kNames[static_cast<std::size_t>(kind)];
}

const char* name(Header header) {
  constexpr const char* kNames[] = {"auto", "yes", "no"};
  return kNames[static_cast<std::size_t>(header)];
}

std::string describe(const ValueRange& range) {
  if (range.scaled) return fmt::format("numbers scaled from {}..{} to 0..1", range.low, range.high);
  switch (range.kind) {
    case ValueKind::bytes:
      return "whole numbers from 0 to 255, taken as bytes (divided by 255)";
    case ValueKind::unit:
      return "numbers from 0 to 1, used as they are";
    case ValueKind::signed_unit:
      return "numbers from -1 to 1, used as they are";
    case ValueKind::counts:
      return fmt::format("whole numbers from 0 to {}, used as they are", range.high);
    case ValueKind::standardized:
      return fmt::format("standardised numbers from {} to {}", range.low, range.high);
    case ValueKind::any:
      break;
  }
  return fmt::format("numbers from {} to {}, used as they are", range.low, range.high);
}

}  // namespace gpuvae
