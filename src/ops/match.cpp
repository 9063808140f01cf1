#include "src/ops/match.h"

#include "src/ops/op.h"

namespace gpuvae::ops {

Tensor match(const Tensor& ids, const Tensor& among) {
  for (const Tensor& t : {ids, among})
    check(t && t.dtype() == DType::i32 && t.shape().rank() == 1 && t.device() == ids.device(), "match",
          "expected i32 [n] on one device, got {}", t);
  Tensor out = Tensor::empty(ids.shape(), DType::i32, ids.device());
  const kernels::MatchArgs args{.rows = ids.shape()[0],
                                .candidates = among.shape()[0],
                                .ids = ids.data_as<std::int32_t>(),
                                .among = among.data_as<std::int32_t>(),
                                .out = out.data_as<std::int32_t>()};
  backend(out).match(args, stream(out));
  return out;
}

}  // namespace gpuvae::ops
