// Latent codes and decoded rows as files: CSV for people, NPY for programs.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace gpuvae::apps {

// Rows of numbers, with a class per row or without classes.
struct Rows {
  std::vector<std::string> columns = {};
  std::vector<float> values = {};  // [rows, columns]
  std::vector<std::uint8_t> labels = {};
  std::vector<std::int64_t> row_numbers = {};  // of the rows in their file; or none
  std::vector<std::string> class_names = {};   // of the labels 0, 1, ..., as a last column; or none
  std::vector<std::string> row_classes = {};   // a class per row, as a last column without a number; or none
  std::vector<double> exact = {};              // f64 numbers that are written instead of `values`; or none
  std::vector<double> observed = {};  // f64 numbers that are written with all digits, or NaN; or none
};
// Writes CSV (labels first, row numbers and names of classes last) or NPY (f32 values only), depending on the
// extension of the path. Throws Error for another extension.
void write_rows(const std::filesystem::path& path, const Rows& rows);
// The first line of the CSV that write_rows writes, without its line break.
std::string header_of(const Rows& rows);

// Reads latent codes [n, latent] from a .csv or .npy file. A CSV file is one that write_rows wrote, with
// its columns z1, z2, ... in any order, or any table of `latent` columns. Throws Error.
std::vector<float> read_codes(const std::filesystem::path& path, std::int64_t latent);
// Reads codes of `latent` numbers from text such as "0.5,-1;0,2". Throws Error.
std::vector<float> parse_codes(const std::string& text, std::int64_t latent);

}  // namespace gpuvae::apps
