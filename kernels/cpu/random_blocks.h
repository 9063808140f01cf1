// Random numbers by Philox's blocks of four, for the kernels that draw.
#pragma once

#include <cstdint>

#include "kernels/backend.h"

namespace gpuvae::kernels {

// `count` blocks from number `begin` on of a matrix whose rows have `columns` numbers, and therefore
// ceil(columns / 4) blocks each, counted along the rows.
struct RandomBlocks {
  const Noise& noise;
  std::int64_t columns, begin, count;
};

// The standard normals, or the uniform numbers in (0, 1), of the blocks to numbers[0] ... [4 count - 1].
// Those beyond a row's last column mean nothing. Normals are within 1e-6 of math's normal4(), and one
// instruction set gives a number the same bits whatever is drawn beside it.
void draw_blocks(const RandomBlocks& blocks, bool normal, float* numbers);

}  // namespace gpuvae::kernels
