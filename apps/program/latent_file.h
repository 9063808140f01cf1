// Latent codes and decoded rows as files: CSV for people, NPY for programs.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace gpuvae::apps {

// Rows of numbers, and a whole number for each row (its class), or none.
struct Rows {
  std::vector<std::string> columns;
  std::vector<float> values;  // [rows, columns]
  std::vector<std::uint8_t> labels;
};
// By the path's ending, .csv or .npy (without labels). Throws Error for another ending.
void write_rows(const std::filesystem::path& path, const Rows& rows);

// Latent codes [n, latent] of a .csv or .npy file; a CSV written by write_rows, or any table of `latent`
// columns.
std::vector<float> read_codes(const std::filesystem::path& path, std::int64_t latent);
// "0.5,-1;0,2": codes of `latent` numbers each.
std::vector<float> parse_codes(const std::string& text, std::int64_t latent);

}  // namespace gpuvae::apps
