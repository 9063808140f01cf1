#include "src/io/stored_values.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>
#include <utility>

#include "kernels/check.h"
#include "src/io/half.h"

namespace gpuvae::io {
namespace {

struct BFloat {
  std::uint16_t bits;
  explicit operator float() const { return std::bit_cast<float>(std::uint32_t{bits} << 16); }
};

// Rounds to the nearest number, and to the even one of two.
BFloat to_bfloat(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if (std::isnan(value)) return {static_cast<std::uint16_t>(bits >> 16 | 0x40)};
  return {static_cast<std::uint16_t>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16)};
}

struct StoredBool {
  std::uint8_t bits;
};

template <class T>
T load_element(std::span<const std::byte> bytes, std::size_t i) {
  T value;
  std::memcpy(&value, bytes.data() + i * sizeof(T), sizeof(T));
  return value;
}

// Returns the integer or the float (f32 or f64) that an element stands for.
template <class T>
auto number_of(T element) {
  if constexpr (std::is_same_v<T, Half> || std::is_same_v<T, BFloat>)
    return static_cast<float>(element);
  else if constexpr (std::is_same_v<T, StoredBool>)
    return static_cast<std::uint8_t>(element.bits != 0);
  else
    return element;
}

// Whether `to` is the exact value of the integer `from`. The double is compared below 2^63 and 2^64, because
// converting a larger one back to an integer is undefined.
template <class From, class To>
bool is_exact(From from, To to) {
  if constexpr (std::is_integral_v<To>)
    return std::in_range<To>(from);
  else
    return to < std::ldexp(To(1), std::numeric_limits<From>::digits) && static_cast<From>(to) == from;
}

template <class Stored, class To>
void convert_elements(const std::string& where, std::span<const std::byte> bytes, To* to) {
  for (std::size_t i = 0; i < bytes.size() / sizeof(Stored); ++i) {
    [[maybe_unused]] const auto number = number_of(load_element<Stored>(bytes, i));
    using Number = std::remove_const_t<decltype(number)>;
    if constexpr (std::is_integral_v<Number>) {
      to[i] = static_cast<To>(number);
      check(is_exact(number, to[i]), file_error("read"), "{}: expected integers that {} represents, got {}",
            where, std::is_integral_v<To> ? "the dtype" : "a float", number);
    } else if constexpr (std::is_floating_point_v<To>) {
      to[i] = static_cast<To>(number);
      check(std::isfinite(to[i]) || !std::isfinite(number), file_error("read"),
            "{}: expected numbers in the range of f32, got {}", where, number);
    }
  }
}

template <class Stored>
void convert_from(const std::string& where, std::string_view tag, std::span<const std::byte> bytes,
                  DType dtype, void* to) {
  if (dtype == DType::f32) return convert_elements<Stored>(where, bytes, static_cast<float*>(to));
  if (dtype == DType::f64) return convert_elements<Stored>(where, bytes, static_cast<double*>(to));
  using Number = decltype(number_of(Stored{}));
  check(std::is_integral_v<Number>, file_error("read"), "{}: expected integers for the dtype {}, got {}",
        where, name(dtype), tag);
  if (dtype == DType::u8) return convert_elements<Stored>(where, bytes, static_cast<std::uint8_t*>(to));
  convert_elements<Stored>(where, bytes, static_cast<std::int32_t*>(to));
}

struct Converter {
  std::string_view tag;
  void (*convert)(const std::string&, std::string_view, std::span<const std::byte>, DType, void*);
};
constexpr Converter kConverters[] = {
    {"F16", convert_from<Half>},         {"BF16", convert_from<BFloat>},
    {"F32", convert_from<float>},        {"F64", convert_from<double>},
    {"BOOL", convert_from<StoredBool>},  {"U8", convert_from<std::uint8_t>},
    {"I8", convert_from<std::int8_t>},   {"U16", convert_from<std::uint16_t>},
    {"I16", convert_from<std::int16_t>}, {"U32", convert_from<std::uint32_t>},
    {"I32", convert_from<std::int32_t>}, {"U64", convert_from<std::uint64_t>},
    {"I64", convert_from<std::int64_t>}};

double as_double(Half half) { return static_cast<double>(static_cast<float>(half)); }
double as_double(BFloat value) { return static_cast<double>(static_cast<float>(value)); }
double as_double(double value) { return value; }

template <class To, class Round>
void store_elements(const std::string& where, DType dtype, std::span<const std::byte> values,
                    std::span<std::byte> stored, Round round) {
  for (std::size_t i = 0; i < stored.size() / sizeof(To); ++i) {
    const double value = dtype == DType::f64 ? load_element<double>(values, i)
                                             : static_cast<double>(load_element<float>(values, i));
    const To rounded = round(value);
    check(std::isfinite(as_double(rounded)) || !std::isfinite(value), file_error("write"),
          "{}: expected numbers in the range of the stored type, got {}", where, value);
    std::memcpy(stored.data() + i * sizeof(To), &rounded, sizeof(To));
  }
}

}  // namespace

void convert_stored(const std::string& where, std::string_view tag, std::span<const std::byte> stored,
                    DType dtype, void* to) {
  for (const Converter& converter : kConverters)
    if (converter.tag == tag) return converter.convert(where, tag, stored, dtype, to);
  fail(file_error("read"), "{}: expected floats of 2 to 8 bytes, integers or booleans, got {}", where, tag);
}

void convert_to_stored(const std::string& where, DType dtype, std::span<const std::byte> values,
                       std::string_view tag, std::span<std::byte> stored) {
  if (tag == "F16") return store_elements<Half>(where, dtype, values, stored, to_half);
  if (tag == "BF16")
    return store_elements<BFloat>(where, dtype, values, stored,
                                  [](double value) { return to_bfloat(static_cast<float>(value)); });
  if (tag == "F32")
    return store_elements<float>(where, dtype, values, stored,
                                 [](double value) { return static_cast<float>(value); });
  store_elements<double>(where, dtype, values, stored, [](double value) { return value; });
}

}  // namespace gpuvae::io
