#include "src/io/mat.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>
#include <string_view>
#include <utility>

#include "kernels/check.h"
#include "src/io/mat_file.h"
#include "src/io/printable.h"

namespace gpuvae::io {
namespace {

constexpr std::uint32_t kDouble = 6, kSingle = 7, kUint8 = 9, kUint64 = 15;  // classes; integers lie between
constexpr std::uint32_t kStoredUint8 = 2;                                    // type of a part

bool is_numeric(const MatVariable& v) { return v.kind >= kDouble && v.kind <= kUint64 && !v.complex; }

// Returns the number of elements, or nothing if it overflows.
std::optional<std::uint64_t> count_of(const MatVariable& v) {
  std::uint64_t count = 1;
  for (const std::int64_t extent : v.shape)
    if (__builtin_mul_overflow(count, static_cast<std::uint64_t>(extent), &count)) return {};
  return count;
}

std::string list_text(const std::vector<MatVariable>& variables) {
  constexpr std::size_t kShown = 8;
  std::string text;
  for (std::size_t i = 0; i < variables.size() && i < kShown; ++i)
    text += (i == 0 ? "" : ", ") + variables[i].text();
  if (variables.size() > kShown) text += ", ...";
  return text.empty() ? "no variables" : text;
}

const MatVariable& only_matrix(const std::string& path, const std::vector<MatVariable>& variables) {
  const MatVariable* found = nullptr;
  for (const MatVariable& v : variables) {
    if (!is_numeric(v) || count_of(v).value_or(2) < 2) continue;
    check(found == nullptr, file_error("read"),
          "{}: expected the name of a matrix (--variable NAME), because there are several: {}", path,
          list_text(variables));
    found = &v;
  }
  check(found != nullptr, file_error("read"), "{}: expected a matrix of real numbers, got {}", path,
        list_text(variables));
  return *found;
}

const MatVariable& named_matrix(const std::string& path, const std::vector<MatVariable>& variables,
                                const std::string& name) {
  const auto found = std::ranges::find(variables, name, &MatVariable::name);
  check(found != variables.end(), file_error("read"), "{}: expected a variable '{}', got {}", path,
        printable(name), list_text(variables));
  check(is_numeric(*found), file_error("read"),
        "{}: expected '{}' to be a full matrix of real numbers, got {}", path, printable(name),
        found->class_name());
  check(count_of(*found) != std::uint64_t{0}, file_error("read"),
        "{}: expected a matrix with elements, got {}", path, found->text());
  return *found;
}

template <class T>
void convert(std::string_view bytes, bool swapped, std::vector<double>& values) {
  values.reserve(bytes.size() / sizeof(T));
  for (std::size_t i = 0; i < bytes.size(); i += sizeof(T)) {
    std::array<char, sizeof(T)> element;
    std::memcpy(element.data(), bytes.data() + i, sizeof(T));
    if (swapped) std::ranges::reverse(element);
    values.push_back(static_cast<double>(std::bit_cast<T>(element)));
  }
}

// A type in which a part stores its numbers. MATLAB stores values in the smallest type that holds them,
// regardless of their class.
struct StorageType {
  std::uint32_t type;
  std::size_t size;
  void (*convert)(std::string_view bytes, bool swapped, std::vector<double>& values);
};
constexpr StorageType kStorageTypes[] = {{1, 1, convert<std::int8_t>},   {2, 1, convert<std::uint8_t>},
                                         {3, 2, convert<std::int16_t>},  {4, 2, convert<std::uint16_t>},
                                         {5, 4, convert<std::int32_t>},  {6, 4, convert<std::uint32_t>},
                                         {7, 4, convert<float>},         {9, 8, convert<double>},
                                         {12, 8, convert<std::int64_t>}, {13, 8, convert<std::uint64_t>}};

template <class T>
constexpr std::pair<double, double> limits() {
  return {static_cast<double>(std::numeric_limits<T>::lowest()),
          static_cast<double>(std::numeric_limits<T>::max())};
}
// Limits of the classes int8, uint8, ..., uint64.
constexpr std::pair<double, double> kLimits[] = {
    limits<std::int8_t>(),  limits<std::uint8_t>(),  limits<std::int16_t>(), limits<std::uint16_t>(),
    limits<std::int32_t>(), limits<std::uint32_t>(), limits<std::int64_t>(), limits<std::uint64_t>()};

// Values of an integer class may be stored in another type, but must be integers within the limits of the
// class.
void check_class(const std::string& path, const MatVariable& variable, const std::vector<double>& values) {
  if (variable.kind <= kSingle) return;
  const auto [low, high] = kLimits[variable.kind - kSingle - 1];
  for (const double value : values)
    check(value >= low && value <= high && value == std::trunc(value), file_error("read"),
          "{}: damaged: '{}' has the class {}, but a value of {}", path, printable(variable.name),
          variable.class_name(), value);
}

}  // namespace

MatMatrix read_mat(const std::filesystem::path& path, const std::string& variable) {
  const std::string where = path.string();
  const MatFile file(path);
  const MatVariable& v = variable.empty() ? only_matrix(where, file.variables())
                                          : named_matrix(where, file.variables(), variable);
  std::string unpacked;
  const MatPart part = file.values(v, unpacked);
  const auto type = std::ranges::find(kStorageTypes, part.type, &StorageType::type);
  check(type != std::end(kStorageTypes), file_error("read"),
        "{}: damaged: '{}' stores numbers of the unknown type {}", where, printable(v.name), part.type);
  const auto count = count_of(v);
  check(count && *count <= std::numeric_limits<std::uint64_t>::max() / 8, file_error("read"),
        "{}: damaged: the sizes of {} overflow", where, v.text());
  check(part.bytes.size() == *count * type->size, file_error("read"),
        "{}: damaged: expected {} bytes of data, as its sizes say, got {}", where, *count * type->size,
        part.bytes.size());

  MatMatrix matrix{v.name, v.class_name(), v.shape, v.kind == kUint8 && !v.logical, {}, {}};
  if (matrix.bytes && part.type == kStoredUint8) {
    matrix.u8.assign(part.bytes.begin(), part.bytes.end());
    return matrix;
  }
  type->convert(part.bytes, file.swapped(), matrix.f64);
  check_class(where, v, matrix.f64);
  if (v.logical)
    std::ranges::transform(matrix.f64, matrix.f64.begin(),
                           [](double value) { return value != 0 ? 1.0 : 0.0; });
  if (!matrix.bytes) return matrix;
  for (const double value : matrix.f64) matrix.u8.push_back(static_cast<std::uint8_t>(value));
  matrix.f64.clear();
  return matrix;
}

}  // namespace gpuvae::io
