// Writes messages in the wire format of Protocol Buffers (protobuf.dev/programming-guides/encoding). The
// library writes a few message types of ONNX, for which a dependency on protobuf and its code generator would
// be large.
#pragma once

#include <bit>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace gpuvae::io {

// A message under construction. The wire format has neither names nor types: the caller passes the numbers of
// the fields, and repeats a call for a repeated field.
class ProtobufMessage {
 public:
  // A field of type int32, int64, uint64, bool or enum.
  void integer(int field, std::int64_t value) {
    tag(field, 0);
    varint(static_cast<std::uint64_t>(value));
  }
  // A field of type float.
  void number(int field, float value) {
    tag(field, 5);
    const auto bits = std::bit_cast<std::uint32_t>(value);
    for (int shift = 0; shift < 32; shift += 8) bytes_.push_back(static_cast<char>(bits >> shift & 255));
  }
  // A field of type string, bytes or message.
  void text(int field, std::string_view value) {
    tag(field, 2);
    varint(value.size());
    bytes_.append(value);
  }
  void message(int field, const ProtobufMessage& value) { text(field, value.bytes_); }

  const std::string& bytes() const { return bytes_; }

 private:
  void tag(int field, std::uint64_t wire_type) { varint(static_cast<std::uint64_t>(field) << 3 | wire_type); }
  // Seven bits per byte, the lowest ones first. The highest bit of a byte says that another byte follows.
  void varint(std::uint64_t value) {
    for (; value >= 128; value >>= 7) bytes_.push_back(static_cast<char>(128 | (value & 127)));
    bytes_.push_back(static_cast<char>(value));
  }

  std::string bytes_;
};

}  // namespace gpuvae::io
