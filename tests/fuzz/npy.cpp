// NPY arrays: sizes agree, gzip makes no difference, and written arrays are read back bit for bit.
#include <bit>
#include <cstring>

#include "src/io/npy.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace gpuvae;

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}
bool same(const io::NpyArray& a, const io::NpyArray& b) {
  return a.shape == b.shape && a.bytes == b.bytes && same_bits(a.u8, b.u8) && same_bits(a.f32, b.f32) &&
         same_bits(a.f64, b.f64);
}

void check_array(const io::NpyArray& array) {
  std::uint64_t count = 1;
  for (const std::int64_t extent : array.shape) count *= static_cast<std::uint64_t>(extent);
  fuzz::require(array.elements() == count, "the number of elements is the product of the sizes");
  fuzz::require(array.bytes ? array.f32.empty() && array.f64.empty() : array.u8.empty(),
                "only one vector is in use");
  const auto copy = fuzz::input_file("", "copy");
  const bool f64 = !array.f64.empty();
  if (f64) {
    io::write_npy(copy, array.shape, array.f64);
  } else {
    io::write_npy(copy, array.shape, array.to_f32());
  }
  const io::NpyArray again = io::read_npy(copy);
  fuzz::require(again.shape == array.shape &&
                    (f64 ? same_bits(again.f64, array.f64) : same_bits(again.f32, array.to_f32())),
                "a written array is read back");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span<const std::uint8_t> bytes(data, size);
  io::NpyArray array, unpacked;
  const auto path = fuzz::input_file(bytes);
  const bool accepted = fuzz::accepts([&] { array = io::read_npy(path); });
  if (accepted) check_array(array);
  if (fuzz::is_gzip(bytes)) return 0;
  const auto packed = fuzz::input_file(fuzz::gzip({reinterpret_cast<const char*>(data), size}), "packed");
  fuzz::require(accepted == fuzz::accepts([&] { unpacked = io::read_npy(packed); }) && same(array, unpacked),
                "gzip makes no difference");
  return 0;
}
