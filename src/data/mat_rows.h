// Examples from a matrix of a MATLAB file.
#pragma once

#include "gpuvae/data.h"

namespace gpuvae::data {

// Reads a .mat file as load_dataset describes. The first note of the result says which matrix was read and
// which dimension was taken for the examples. Throws Error "[read] path: reason".
Split load_mat(const std::filesystem::path& path, const DatasetOptions& options);

}  // namespace gpuvae::data
