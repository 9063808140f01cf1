// The group Pictures. None of its settings changes what is trained.
#include "apps/cli/grid.h"
#include "apps/cli/settings.h"

namespace gpuvae::apps {

std::vector<Setting> picture_settings(RunConfig& c) {
  PictureSettings& p = c.pictures;
  return {
      {"--encode", one_of(p.encode, {"mean", "sample"}),
       "latent code of an image in pictures and exports: the mean of q(z | x), or a sample from it", false},
      {"--manifold", text(p.manifold, "GRIDS", grid_mistake),
       "grids of decoded latent codes, KIND:N:LOW:HIGH[:AXES] with commas between grids, or none; KIND "
       "quantile spaces "
       "N x N codes by probability under N(0, 1), linear by value, data over the range of the encoded images",
       false},
      {"--samples", whole_number(p.samples, between(1, 10'000)),
       "number of images in samples.png, or of rows that the command sample writes", false},
      {"--reconstructions", whole_number(p.reconstructions, between(1, 10'000)),
       "number of images in reconstructions.png", false},
      {"--examples", whole_number(p.examples, between(1, 10'000)),
       "number of training images in examples.png, which has 25 per row", false},
      {"--latent-names", text(p.latent_names, "NAMES"),
       "names of the latent dimensions in the pictures and the explorer, separated by commas, such as "
       "pose,humour",
       false},
      {"--sliders", text(p.sliders, "RANGE", slider_mistake),
       "range of the explorer's sliders, LOW:HIGH:STEP[:SCALE], where a latent value is the slider's value "
       "times SCALE "
       "(default: the range of the encoded images)",
       false},
  };
}

}  // namespace gpuvae::apps
