// lgamma, digamma and their derivatives. They need far more registers than the other unary operations, which
// would lose occupancy if they shared a kernel.
#pragma once

#include "kernels/backend.h"

namespace gpuvae::kernels {

constexpr bool is_gamma(Unary operation) { return operation == Unary::lgamma || operation == Unary::digamma; }
// Both functions launch `blocks` blocks of kThreads threads on the current device.
void launch_gamma(const UnaryArgs& args, std::int64_t blocks, StreamHandle stream);
void launch_gamma_backward(const UnaryBackwardArgs& args, std::int64_t blocks, StreamHandle stream);

}  // namespace gpuvae::kernels
