// The notation of --columns, --split-seed and --value-range.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace gpuvae::apps {

// Reads column names that are separated by commas, such as `length,"width, in cm",3`. Throws
// std::invalid_argument.
std::vector<std::string> parse_columns(const std::string& text);
// Returns "expected X, got Y" for a text that parse_columns rejects, otherwise an empty string.
std::string columns_mistake(const std::string& text);
// Reads the seed of --split-seed; empty: none. seed_mistake() returns what is wrong with a text, or "".
std::optional<std::uint64_t> parse_seed(const std::string& text);
std::string seed_mistake(const std::string& text);

// Reads "LOW:HIGH", such as "-1:1" or "0:255"; nothing for an empty text. Throws std::invalid_argument.
std::optional<std::array<double, 2>> parse_value_range(const std::string& text);
std::string value_range_mistake(const std::string& text);

}  // namespace gpuvae::apps
