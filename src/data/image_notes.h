// Notes for the user that say, in full sentences, what was done to the images of a folder.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "src/io/image.h"

namespace gpuvae::data {

class ImageNotes {
 public:
  explicit ImageNotes(std::string folder) : folder_(std::move(folder)) {}

  // Counts an image.
  void add(const io::ImageChanges& changes);
  // Appends a sentence per kind of change that at least one image underwent.
  void append_to(std::vector<std::string>& notes) const;

 private:
  std::string folder_;
  std::int64_t images_ = 0, colors_ = 0, transparency_ = 0, depth_ = 0, orientation_ = 0;
};

}  // namespace gpuvae::data
