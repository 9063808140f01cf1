// Conversion of the elements of safetensors files.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "gpuvae/types.h"

namespace gpuvae::io {

// Converts elements of the type `tag` to f32, f64, u8 or i32 at `to`. Throws Error "[read] where: reason" if
// a number cannot be converted; see SafetensorsReader::read.
void convert_stored(const std::string& where, std::string_view tag, std::span<const std::byte> stored,
                    DType dtype, void* to);

// Converts f32 or f64 to F16, BF16, F32 or F64. Throws Error "[write] where: reason" if a finite number would
// become infinite.
void convert_to_stored(const std::string& where, DType dtype, std::span<const std::byte> values,
                       std::string_view tag, std::span<std::byte> stored);

}  // namespace gpuvae::io
