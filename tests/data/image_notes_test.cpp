#include "src/data/image_notes.h"

#include "tests/data/dataset_files.h"

namespace gpuvae {
namespace {

using namespace test;
using Notes = std::vector<std::string>;

TEST(ImageNotes, SayEachKindOfChangeOnce) {
  data::ImageNotes counted("faces");
  Notes notes;
  counted.append_to(notes);
  EXPECT_TRUE(notes.empty());
  counted.add({});
  counted.add({.colors = true, .transparency = true});
  counted.add({.colors = true, .depth = true, .orientation = true});
  counted.append_to(notes);
  EXPECT_EQ(notes,
            (Notes{"faces: 2 of 3 images have colours, which became luminance (0.299 R + 0.587 G + 0.114 B)",
                   "faces: 1 of 3 images have transparent pixels, which were blended with white",
                   "faces: 1 of 3 images have more than 8 bits per channel, which were rounded to 8 bits",
                   "faces: 1 of 3 images were rotated or mirrored as their EXIF orientation says"}));
}

TEST(ImageNotes, BelongToTheDataSet) {
  const TemporaryFolder folder;
  io::write_file(folder / "a.pgm", "P2 1 1 255 7\n");
  io::write_file(folder / "b.ppm", "P3 1 1 999 999 0 0\n");
  const Split split = load_dataset(folder.path(), kAllInTraining);
  EXPECT_EQ(split.train.examples.to_doubles(), (std::vector<double>{7, 76}));
  ASSERT_GE(split.notes.size(), 2u);
  EXPECT_NE(split.notes[0].find(": 1 of 2 images have colours"), std::string::npos);
  EXPECT_NE(split.notes[1].find(": 1 of 2 images have more than 8 bits"), std::string::npos);
}

}  // namespace
}  // namespace gpuvae
