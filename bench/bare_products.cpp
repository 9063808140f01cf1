#include "bench/bare_products.h"

#include <dnnl.h>

#include "gpuvae/ops.h"
#include "kernels/backend.h"

namespace gpuvae::bench {

BareProducts::BareProducts(Vae& model, std::int64_t batch) : device_(model.device()) {
  bool first = true;
  for (const Parameter& p : model.parameters()) {
    const Shape shape = p.variable.shape();
    if (p.is_bias || shape.rank() != 2) continue;
    const std::int64_t out = shape[0], in = shape[1];
    add(false, true, batch, out, in);
    add(true, false, out, in, batch);
    if (!first) add(false, false, batch, in, out);
    first = false;
  }
}

void BareProducts::add(bool transpose_a, bool transpose_b, std::int64_t m, std::int64_t n, std::int64_t k) {
  const Noise noise{.seed = 1, .purpose = RandomPurpose::test};
  const auto random = [&](std::int64_t count) {
    return random_normal({count}, noise, 0, 1, DType::f32, device_);
  };
  products_.push_back({transpose_a, transpose_b, m, n, k, random(m * k), random(k * n), random(m * n)});
}

void BareProducts::run() const {
  for (const Product& p : products_) {
    if (device_.is_cpu()) {
      dnnl_sgemm(p.transpose_a ? 'T' : 'N', p.transpose_b ? 'T' : 'N', p.m, p.n, p.k, 1, p.a.data_as<float>(),
                 p.transpose_a ? p.m : p.k, p.b.data_as<float>(), p.transpose_b ? p.k : p.n, 0,
                 p.c.data_as<float>(), p.n);
      continue;
    }
    kernels::GemmArgs args{.m = p.m, .n = p.n, .k = p.k, .a = p.a.data(), .b = p.b.data(), .c = p.c.data()};
    args.transpose_a = p.transpose_a;
    args.transpose_b = p.transpose_b;
    device_.backend().gemm(args, Stream::current(device_).handle());
  }
}

}  // namespace gpuvae::bench
