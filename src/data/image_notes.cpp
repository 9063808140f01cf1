#include "src/data/image_notes.h"

#include <fmt/format.h>

namespace gpuvae::data {

void ImageNotes::add(const io::ImageChanges& changes) {
  ++images_;
  colors_ += changes.colors;
  transparency_ += changes.transparency;
  depth_ += changes.depth;
  orientation_ += changes.orientation;
}

void ImageNotes::append_to(std::vector<std::string>& notes) const {
  const auto say = [&](std::int64_t count, const char* what) {
    if (count > 0) notes.push_back(fmt::format("{}: {} of {} images {}", folder_, count, images_, what));
  };
  say(colors_, "have colours, which became luminance (0.299 R + 0.587 G + 0.114 B)");
  say(transparency_, "have transparent pixels, which were blended with white");
  say(depth_, "have more than 8 bits per channel, which were rounded to 8 bits");
  say(orientation_, "were rotated or mirrored as their EXIF orientation says");
}

}  // namespace gpuvae::data
