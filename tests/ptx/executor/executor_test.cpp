// Tests of the executor: kernels that are right must compute the right numbers, planted bugs must be named.
#include <cmath>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <functional>
#include <iterator>
#include <random>

#include "ptx.h"

using namespace ptx;
namespace {

int failures = 0;
Module unit;  // the kernels of unit.cu

void check(bool ok, const std::string& what) {
  std::printf("%s %s\n", ok ? "ok  " : "FAIL", what.c_str());
  failures += !ok;
}
// f must throw an error that contains all of `words`.
void check_error(const char* what, std::initializer_list<const char*> words, const std::function<void()>& f) {
  try {
    f();
    check(false, std::string(what) + ": expected an error");
  } catch (const Error& e) {
    bool all = true;
    for (const char* w : words) all &= std::strstr(e.what(), w) != nullptr;
    check(all, std::string(what) + ":\n       " + e.what());
  }
}
template <class T>
T* upload(Memory& m, const std::vector<T>& x, const char* name = "") {
  T* p = m.allocate<T>(x.size(), name);
  std::memcpy(p, x.data(), x.size() * sizeof(T));
  m.mark_written(p, x.size() * sizeof(T));
  return p;
}
std::vector<float> floats(std::size_t n, unsigned seed = 1) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> x(n);
  for (float& v : x) v = normal(random);
  return x;
}
double error_in_ulps(float got, double want) {
  if (std::isnan(got) && std::isnan(want)) return 0;
  const float near = static_cast<float>(want);
  return std::fabs(double(got) - want) /
         std::max(1e-45, double(std::nextafter(std::fabs(near), INFINITY)) - std::fabs(near));
}

void test_simple() {
  Memory m;
  const auto a = floats(1000, 1), b = floats(1000, 2);
  float *da = upload(m, a, "a"), *db = upload(m, b, "b"), *dc = m.allocate<float>(1000, "c");
  const Counters c = unit.launch(m, "vector_add", {4}, {256}, 0, da, db, dc, 1000);
  bool same = true;
  for (int i = 0; i < 1000; ++i) same &= dc[i] == a[i] + b[i];
  check(same, "vector_add");
  check(c.global_load.transactions == c.global_load.least && c.global_load.least == 250,
        "vector_add is coalesced: 250 sectors for 8000 bytes");
  check_error("off by one, global",
              {"4-byte load to global", "0 bytes past the end of '", "block (3, 0, 0), thread (232, 0, 0)",
               "unit.cu:"},
              [&] { unit.launch(m, "vector_add_past_end", {4}, {256}, 0, da, db, dc, 1000); });
  unit.launch(m, "vector_add4", {1}, {250}, 0, da, dc);
  check(dc[999] == a[999] + 1, "vector_add4");
  check_error("misaligned float4", {"16-byte load", "not aligned to 16"},
              [&] { unit.launch(m, "vector_add4", {1}, {32}, 0, static_cast<float*>(da + 1), dc); });
  const Counters s = unit.launch(m, "strided_read", {1}, {32}, 0, da, dc, 8);
  check(s.global_load.transactions == 32 && s.global_load.least == 4,
        "strided read: 32 sectors instead of 4");
  m.free(db);
  check_error("freed memory", {"freed memory", "'b'"},
              [&] { unit.launch(m, "vector_add", {4}, {256}, 0, da, db, dc, 1000); });
  float* fresh = m.allocate<float>(32, "fresh");
  unit.options.uninitialized = true;
  check_error("uninitialised read", {"nobody has written", "'fresh'"},
              [&] { unit.launch(m, "strided_read", {1}, {32}, 0, fresh, dc, 1); });
  unit.options.uninitialized = false;
  check_error("wrong argument", {"argument 3 has 4 bytes, got 8"},
              [&] { unit.launch(m, "vector_add", {4}, {256}, 0, da, da, dc, 1000l); });
}

void test_shared() {
  Memory m;
  const auto x = floats(1024);
  float *dx = upload(m, x, "x"), *dy = m.allocate<float>(1024, "y");
  for (const std::uint64_t seed : {0, 1, 2, 3}) {
    unit.options.order = Order::random;
    unit.options.seed = seed;
    unit.launch(m, "block_reduce", {4}, {256}, 0, dx, dy);
    double worst = 0;
    for (int b = 0; b < 4; ++b) {
      double sum = 0;
      for (int i = 0; i < 256; ++i) sum += x[256 * b + i];
      worst = std::max(worst, std::fabs(sum - dy[b]));
    }
    check(worst < 1e-4, "block_reduce, order " + std::to_string(seed));
    check_error("missing barrier", {"race in shared memory", "block_reduce_without_barrier"},
                [&] { unit.launch(m, "block_reduce_without_barrier", {4}, {256}, 0, dx, dy); });
  }
  unit.options.order = Order::ascending;
  for (const bool padded : {true, false}) {
    const Counters c =
        unit.launch(m, padded ? "transpose_padded" : "transpose_plain", {1}, {32, 8}, 0, dx, dy);
    bool same = true;
    for (int i = 0; i < 1024; ++i) same &= dy[i] == x[i % 32 * 32 + i / 32];
    check(same && c.worst_bank_conflict == (padded ? 1u : 32u),
          padded ? "transpose, padded: no bank conflicts" : "transpose, plain: 32-way bank conflicts");
  }
  check_error("off by one, shared",
              {"4-byte store to shared memory at 0x100", "256 bytes into the 256 of", "thread (63, 0, 0)"},
              [&] { unit.launch(m, "shared_past_end", {1}, {64}, 0, dx); });
  unit.launch(m, "store_to_shared", {1}, {32}, 0, dx, 0);
  check(dx[4] == x[5] + 1, "store to shared memory");
  check_error("st.global to shared",
              {"16-byte store to global memory", "generic address of shared memory", "st.global.wb.v4.f32"},
              [&] { unit.launch(m, "store_to_shared", {1}, {32}, 0, dx, 1); });
  unit.launch(m, "warp_exchange", {1}, {32}, 0, dx, 1);
  check_error("missing __syncwarp", {"race in shared memory"},
              [&] { unit.launch(m, "warp_exchange", {1}, {32}, 0, dx, 0); });
}

void test_warps() {
  Memory m;
  std::vector<unsigned> x(32);
  for (unsigned i = 0; i < 32; ++i) x[i] = i * i + 1;
  unsigned *dx = upload(m, x), *dy = m.allocate<unsigned>(32);
  const Counters c = unit.launch(m, "collatz", {1}, {32}, 0, dx, dy);
  bool same = true;
  for (unsigned i = 0; i < 32; ++i) {
    unsigned n = x[i], count = 0;
    for (; n != 1; ++count) n = n % 2 ? 3 * n + 1 : n / 2;
    same &= dy[i] == 2 * count;
  }
  check(same && c.divergent_branches > 0, "divergent loops");
  float* f = upload(m, floats(32));
  check_error("shuffle with inactive lanes", {"0xffffffff", "lanes that have exited: 0xffff0000"},
              [&] { unit.launch(m, "shuffle_inactive", {1}, {32}, 0, f); });
  check_error("shuffle with exited lanes", {"have exited: 0xffff0000"},
              [&] { unit.launch(m, "shuffle_exited", {1}, {32}, 0, f); });
  check_error("divergent barrier", {"deadlock", "lanes 0x0000ffff wait"},
              [&] { unit.launch(m, "barrier_divergent", {1}, {32}, 0, f); });
  int* locals = m.allocate<int>(32);
  unit.launch(m, "local_array", {1}, {32}, 0, locals, 16);
  int stack[16];
  for (int i = 0; i < 16; ++i) stack[(i * 7 + 3) % 16] = i;
  check(locals[3] == stack[3], "local memory");
}

void test_atomics() {
  Memory m;
  unsigned* n = upload(m, std::vector<unsigned>(3, 0));
  unit.launch(m, "count_up", {3}, {64}, 0, n, n + 1, n + 2);
  check(n[0] == 192 % 7 && n[1] == 6 && n[2] == 3 * 63 * 32, "atomics inc, max, add");
  const auto x = floats(8);
  float *dx = upload(m, x), *partials = m.allocate<float>(8), *out = m.allocate<float>(1);
  unsigned* counter = upload(m, std::vector<unsigned>(1, 0), "counter");
  unit.launch(m, "grid_sum", {8}, {64}, 0, dx, partials, counter, out, true);
  double sum = 0;
  for (const float v : x) sum += v;
  check(std::fabs(*out - sum) < 1e-5, "sum by the last block");
  check_error("missing __threadfence", {"race in global memory", "grid_sum", "ld.global.cg"},
              [&] { unit.launch(m, "grid_sum", {8}, {64}, 0, dx, partials, counter, out, false); });
  check_error("blocks that write one address", {"race in global memory", "block 0"},
              [&] { unit.launch(m, "blocks_collide", {2}, {1}, 0, reinterpret_cast<int*>(out)); });
}

void test_matrix() {
  Memory m;
  const auto tf32 = [](float x) {
    std::uint32_t b;
    std::memcpy(&b, &x, 4);
    b = (b + 0x1000) & ~0x1fffu;
    std::memcpy(&x, &b, 4);
    return x;
  };
  double worst[2] = {};
  for (unsigned seed = 0; seed < 20; ++seed)
    for (const Accumulate how : {Accumulate::exact, Accumulate::truncating}) {
      const auto a = floats(128, 3 * seed + 1), b = floats(64, 3 * seed + 2), c = floats(128, 3 * seed + 3);
      float *da = upload(m, a), *db = upload(m, b), *dc = upload(m, c);
      unit.options.accumulate = how;
      unit.launch(m, "mma_tf32", {1}, {32}, 0, da, db, dc);
      for (int i = 0; i < 16; ++i)
        for (int j = 0; j < 8; ++j) {
          double sum = c[i * 8 + j], size = std::fabs(sum);
          for (int k = 0; k < 8; ++k)
            sum += double(tf32(a[i * 8 + k])) * tf32(b[j * 8 + k]),
                size += std::fabs(double(tf32(a[i * 8 + k])) * tf32(b[j * 8 + k]));
          worst[std::size_t(how)] = std::max(worst[std::size_t(how)], std::fabs(dc[i * 8 + j] - sum) / size);
        }
    }
  unit.options.accumulate = Accumulate::exact;
  std::printf("     mma: error / sum of |terms|: exact %.2g, truncating %.2g\n", worst[0], worst[1]);
  check(worst[0] <= 0x1p-24 && worst[1] > worst[0] && worst[1] < 0x1p-20,
        "mma of TF32, both ways to accumulate");
}

void test_numbers() {
  Memory m;
  auto x = floats(256);
  for (int i = 0; i < 256; ++i) x[i] *= i % 8 == 0 ? 20 : i % 8 == 1 ? 1e-5f : 1;
  float *dx = upload(m, x), *dy = m.allocate<float>(11 * 256);
  unit.launch(m, "functions", {1}, {256}, 0, dx, dy, 256);
  using F = double (*)(double);
  const F references[9] = {[](double v) { return std::exp(v); },
                           [](double v) { return std::log(std::fabs(v)); },
                           [](double v) { return std::tanh(v); },
                           [](double v) { return v / double(3.7f); },
                           [](double v) { return std::sqrt(std::fabs(v)); },
                           [](double v) { return std::sin(v); },
                           [](double v) { return std::erf(v); },
                           [](double v) { return std::exp(v); },
                           [](double v) { return std::log1p(std::fabs(v)); }};
  const char* names[9] = {"expf", "logf", "tanhf",     "division",   "sqrtf",
                          "sinf", "erff", "exp (f64)", "log1p (f64)"};
  const double allowed[9] = {2, 1, 2, 0.5, 0.5, 2, 2, 0.51, 0.51};
  for (int f = 0; f < 9; ++f) {
    double worst = 0;
    for (int i = 0; i < 256; ++i)
      worst = std::max(worst, error_in_ulps(dy[f * 256 + i], references[f](x[i])));
    char text[80];
    std::snprintf(text, sizeof text, "%s within %.2f ulp (%.2f)", names[f], allowed[f], worst);
    check(worst <= allowed[f], text);
  }
  bool zero = true, down = true;
  for (int i = 0; i < 256; ++i) {
    const long double s = (long double)(x[i]) + 1e-7f, p = (long double)(x[i]) * x[i] + 1e-9f;
    const float z = dy[9 * 256 + i], d = dy[10 * 256 + i];
    zero &= std::fabs((long double)z) <= std::fabs(s) &&
            std::fabs((long double)std::nextafter(z, s > 0 ? INFINITY : -INFINITY)) > std::fabs(s);
    down &= (long double)d <= p && (long double)std::nextafter(d, INFINITY) > p;
  }
  check(zero, "add.rz"), check(down, "fma.rm");

  std::mt19937 random(5);
  std::vector<int> n(256);
  for (int& v : n) v = static_cast<int>(random() >> (random() % 32));
  int* dn = upload(m, n);
  auto* out = m.allocate<std::int64_t>(11 * 256);
  unit.launch(m, "integers", {1}, {256}, 0, dn, out, 256);
  bool same[11];
  std::fill(same, same + 11, true);
  for (int i = 0; i < 256; ++i) {
    const int a = n[i], b = n[(i + 1) % 256];
    const auto byte = [&](int k) {
      return (k < 4 ? unsigned(a) >> 8 * k : unsigned(b) >> 8 * (k - 4)) & 255;
    };
    unsigned reversed = 0;
    for (int k = 0; k < 32; ++k) reversed |= (unsigned(a) >> k & 1) << (31 - k);
    const std::int64_t want[11] = {
        b ? std::int64_t(a) / b : 0,
        b ? std::int64_t(a) % b : 0,
        std::int64_t(a) * b,
        (std::int64_t(a) * b) >> 32,
        __builtin_popcount(unsigned(a)) + 100 * (b ? __builtin_clz(unsigned(b)) : 32),
        a >> (b & 31),
        int(reversed),
        std::int64_t(std::uint64_t(std::int64_t(a) * 1234567) / (std::uint64_t(std::uint32_t(b)) + 1)),
        std::int64_t(byte(5) | byte(1) << 8 | byte(7) << 16 | byte(3) << 24),
        int(unsigned(b) << 7 | unsigned(a) >> 25),
        (unsigned char)(a) + (signed char)(b) + (short)(a)};
    for (int k = 0; k < 11; ++k)
      same[k] &= out[k * 256 + i] == (k == 8 ? std::int64_t(std::uint32_t(want[k])) : want[k]);
  }
  for (int k = 0; k < 11; ++k) check(same[k], "integers " + std::to_string(k));
}

void test_dependent() {
  Memory m;
  float *x = m.allocate<float>(64, "x"), *y = m.allocate<float>(64, "y");
  for (const int wait : {1, 0}) {
    const void* produced[] = {&x};
    const void* consumed[] = {&x, &y, &wait};
    Launch launches[] = {unit.prepare(unit.kernel("produce"), {2}, {32}, 0, produced),
                         unit.prepare(unit.kernel("consume"), {2}, {32}, 0, consumed)};
    launches[1].programmatic = true;
    const auto go = [&] { run(m, launches, unit.options); };
    if (wait)
      go(), check(y[63] == 3, "dependent launch that waits");
    else
      check_error("dependent launch that does not wait", {"a grid that runs at the same time"}, go);
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::ifstream in(argc > 1 ? argv[1] : "build/unit.ptx");
  unit = Module::load(std::string((std::istreambuf_iterator<char>(in)), {}));
  for (const auto& name : unit.kernels())
    for (const auto& u : unit.unsupported(name)) check(false, name + ": unsupported " + u);
  test_simple(), test_shared(), test_warps(), test_atomics(), test_matrix(), test_numbers(), test_dependent();
  std::printf("%d failures\n", failures);
  return failures != 0;
}
