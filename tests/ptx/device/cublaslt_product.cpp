#include "cublaslt_product.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "detail.h"

namespace emulator::detail {

void check_operand(const char* name, const void* p, std::size_t bytes, const Product& product) {
  if (bytes == 0 || in_device_memory(p, bytes)) return;
  fail(
      "cublasLtMatmul (m %zu, n %zu, k %zu): %s at %p needs %zu bytes; its allocation has %zu bytes from "
      "there",
      std::size_t(product.m()), std::size_t(product.n()), std::size_t(product.k()), name, p, bytes,
      bytes_from(p));
}

void check_operands(const Product& p) {
  check_operand("A", p.pa, p.a.bytes(), p);
  check_operand("B", p.pb, p.b.bytes(), p);
  if (p.beta != 0.0f) check_operand("C", p.pc, p.c.bytes(), p);
  check_operand("D", p.pd, p.d.bytes(), p);
  const std::uint64_t length = p.operation.sums_b() ? p.n() : p.m();
  if (p.operation.uses_bias()) check_operand("bias", p.operation.bias, length * sizeof(float), p);
  if (p.operation.uses_mask()) check_operand("the mask", p.operation.mask, p.mask_bytes(), p);
}

namespace {

// Checks that all elements of a matrix have been written. The padding between its rows or columns may be
// unwritten.
void check_written(const char* name, const void* p, const Layout& layout) {
  const bool by_rows = layout.order == CUBLASLT_ORDER_ROW;
  const std::uint64_t lines = by_rows ? layout.rows : layout.columns;
  const std::uint64_t length = by_rows ? layout.columns : layout.rows;
  for (std::uint64_t line = 0; line < lines; ++line) {
    const float* at = static_cast<const float*>(p) + line * std::uint64_t(layout.ld);
    if (device_memory().is_written(at, length * sizeof(float))) continue;
    fail("cublasLtMatmul reads %s, of which line %zu was never written: %s", name, std::size_t(line),
         device_memory().describe(reinterpret_cast<std::uint64_t>(at)).c_str());
  }
}

void check_written(const Product& p) {
  if (!current().kernels.uninitialized) return;
  check_written("A", p.pa, p.a);
  check_written("B", p.pb, p.b);
  if (p.beta != 0.0f) check_written("C", p.pc, p.c);
  ptx::Memory& memory = device_memory();
  if (p.operation.adds_bias() && !memory.is_written(p.operation.bias, p.m() * sizeof(float)))
    fail("cublasLtMatmul reads a bias that was never written");
  if (p.operation.masks() && !memory.is_written(p.operation.mask, p.mask_bytes()))
    fail("cublasLtMatmul reads a mask that was never written");
}

void sum_factor(const Product& p) {
  const bool of_a = p.operation.sums_a();
  const Strided a = p.op_a(), b = p.op_b();
  for (std::uint64_t i = 0; i < (of_a ? p.m() : p.n()); ++i) {
    double sum = 0.0;
    for (std::uint64_t l = 0; l < p.k(); ++l) sum += of_a ? a(i, l) : b(l, i);
    p.operation.bias[i] = float(sum);
  }
}

void sum_rows_of_d(const Product& p) {
  for (std::uint64_t i = 0; i < p.m(); ++i) {
    double sum = 0.0;
    for (std::uint64_t j = 0; j < p.n(); ++j)
      sum += p.pd[std::int64_t(i) * p.d.row_stride() + std::int64_t(j) * p.d.column_stride()];
    p.operation.bias[i] = float(sum);
  }
}

float finished_element(const Product& p, double sum, std::uint64_t i, std::uint64_t j) {
  const Strided c{p.pc, p.c.row_stride(), p.c.column_stride()};
  double value = p.alpha * sum;
  if (p.beta != 0.0f) value += double(p.beta) * c(i, j);
  if (p.operation.adds_bias()) value += p.operation.bias[i];
  if (p.operation.masks()) return p.mask_bit(i, j) ? float(value) : 0.0f;
  if (p.operation.uses_mask()) p.set_mask_bit(i, j, p.relu_mask_at_zero ? !(value < 0.0) : value > 0.0);
  if (p.operation.rectifies() && (value < 0.0 || (p.relu_hides_nan && std::isnan(value)))) value = 0.0;
  return float(value);
}

// Computes D column by column, four terms of the sum at a time, so that the inner loop vectorises.
void multiply(const Product& p) {
  const std::uint64_t m = p.m(), n = p.n(), k = p.k(), padded = (k + 3) / 4 * 4;
  const Strided a = p.op_a(), b = p.op_b();
  std::vector<double> packed(padded * m, 0.0), column(padded, 0.0), sum(m);
  for (std::uint64_t l = 0; l < k; ++l)
    for (std::uint64_t i = 0; i < m; ++i) packed[l * m + i] = p.operation.rounded(a(i, l));
  for (std::uint64_t j = 0; j < n; ++j) {
    for (std::uint64_t l = 0; l < k; ++l) column[l] = p.operation.rounded(b(l, j));
    std::fill(sum.begin(), sum.end(), 0.0);
    for (std::uint64_t l = 0; l < k; l += 4) {
      const double *line = &packed[l * m], x0 = column[l], x1 = column[l + 1], x2 = column[l + 2],
                   x3 = column[l + 3];
      for (std::uint64_t i = 0; i < m; ++i)
        sum[i] += line[i] * x0 + line[m + i] * x1 + line[2 * m + i] * x2 + line[3 * m + i] * x3;
    }
    for (std::uint64_t i = 0; i < m; ++i) {
      const std::int64_t at = std::int64_t(i) * p.d.row_stride() + std::int64_t(j) * p.d.column_stride();
      p.pd[at] = finished_element(p, sum[i], i, j);
    }
  }
}

// Marks the results of this product as written in the executor's memory.
void mark_results(const Product& p) {
  ptx::Memory& memory = device_memory();
  const bool by_rows = p.d.order == CUBLASLT_ORDER_ROW;
  const std::uint64_t lines = by_rows ? p.m() : p.n(), length = by_rows ? p.n() : p.m();
  for (std::uint64_t line = 0; line < lines; ++line)
    memory.mark_written(p.pd + line * std::uint64_t(p.d.ld), length * sizeof(float));
  const bool sums = p.operation.sums_a() || p.operation.sums_b() || p.operation.sums_rows_of_d();
  if (sums) memory.mark_written(p.operation.bias, (p.operation.sums_b() ? p.n() : p.m()) * sizeof(float));
  if (p.operation.uses_mask() && !p.operation.masks()) memory.mark_written(p.operation.mask, p.mask_bytes());
}

}  // namespace

void run(const Product& p) {
  flush_launches();
  check_operands(p);
  check_written(p);
  ++counters().kernels_run;
  const DeviceAccess access;
  if (p.operation.sums_a() || p.operation.sums_b()) sum_factor(p);
  multiply(p);
  if (p.operation.sums_rows_of_d()) sum_rows_of_d(p);
  mark_results(p);
}

}  // namespace emulator::detail
