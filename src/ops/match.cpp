#include "src/ops/match.h"

#include "src/ops/op.h"

namespace gpuvae::ops {

Tensor match(const Tensor& ids, const Tensor& among, std::int64_t times) {
  for (const Tensor& t : {ids, among})
    check(t && t.dtype() == DType::i32 && t.shape().rank() == 1 && t.device() == ids.device(), "match",
          "expected i32 [n] on one device, got {}", t);
  check(times > 0, "match", "expected 1 or more repetitions, got {}", times);
  const Tensor out = Tensor::empty(ids.shape(), DType::i32, ids.device());
  const kernels::MatchArgs args{.rows = ids.shape()[0],
                                .candidates = among.shape()[0],
                                .ids = ids.data_as<std::int32_t>(),
                                .among = among.data_as<std::int32_t>(),
                                .out = out.data_as<std::int32_t>()};
  backend(out).match(args, stream(out));
  if (times == 1) return out;
  // The kernel copies elements of four bytes, whatever they mean.
  const Tensor repeated = Tensor::empty({out.elements() * times}, DType::i32, out.device());
  backend(out).repeat_rows({DType::f32, out.elements(), 1, times, out.data(), repeated.data()}, stream(out));
  return repeated;
}

}  // namespace gpuvae::ops
