// Random numbers in Philox's blocks of four.
#pragma once

#include <cstdint>

#include "kernels/backend.h"

namespace gpuvae::kernels {

// `count` consecutive blocks of a matrix, from block `begin` on. A row has `columns` numbers and therefore
// ceil(columns / 4) blocks. Blocks are numbered row by row.
struct RandomBlocks {
  const Noise& noise;
  std::int64_t columns, begin, count;
};

// Writes the 4 * count standard normals, or uniform numbers in (0, 1), of the blocks to `numbers`. Numbers
// beyond the last column of a row are unspecified. Normals differ from those of normal4()
// (gpuvae/device/random.h) by at most 1e-6. For a given instruction set, the bits of a number do not depend
// on what else the call draws.
void draw_blocks(const RandomBlocks& blocks, bool normal, float* numbers);

}  // namespace gpuvae::kernels
