// Compares the emulated cuBLASLt with a naive product over layouts, transpositions and epilogues.
#include <cublasLt.h>
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <cmath>

#include "counters.h"
#include "test_support.h"

namespace {

struct Case {
  int m, n, k;
  bool transpose_a, transpose_b, row_order;
  cublasLtEpilogue_t epilogue;
  float alpha, beta;
  int padding;  // of each leading dimension
};

struct Matrix {
  int rows, columns, ld;
  bool row_order;
  std::size_t at(int r, int c) const { return row_order ? std::size_t(r) * ld + c : std::size_t(c) * ld + r; }
  std::size_t size() const { return std::size_t(row_order ? rows : columns) * ld; }
  cublasLtMatrixLayout_t layout() const {
    cublasLtMatrixLayout_t made = nullptr;
    EXPECT_EQ(cublasLtMatrixLayoutCreate(&made, CUDA_R_32F, rows, columns, ld), CUBLAS_STATUS_SUCCESS);
    const std::int32_t order = row_order ? CUBLASLT_ORDER_ROW : CUBLASLT_ORDER_COL;
    EXPECT_EQ(cublasLtMatrixLayoutSetAttribute(made, CUBLASLT_MATRIX_LAYOUT_ORDER, &order, sizeof order),
              CUBLAS_STATUS_SUCCESS);
    return made;
  }
};
Matrix matrix(int rows, int columns, const Case& c) {
  return {rows, columns, (c.row_order ? columns : rows) + c.padding, c.row_order};
}

std::vector<float> noise(std::size_t n, unsigned state) {
  std::vector<float> values(n);
  for (float& v : values) {
    state = state * 1664525u + 1013904223u;
    v = float(state >> 8) / float(1 << 23) - 1.0f;
  }
  return values;
}

class Multiplication {
 public:
  explicit Multiplication(const Case& c)
      : c_(c),
        ma_(c.transpose_a ? matrix(c.k, c.m, c) : matrix(c.m, c.k, c)),
        mb_(c.transpose_b ? matrix(c.n, c.k, c) : matrix(c.k, c.n, c)),
        md_(matrix(c.m, c.n, c)) {
    EXPECT_EQ(cublasLtCreate(&handle_), CUBLAS_STATUS_SUCCESS);
    EXPECT_EQ(cublasLtMatmulDescCreate(&operation_, CUBLAS_COMPUTE_32F, CUDA_R_32F), CUBLAS_STATUS_SUCCESS);
    const cublasOperation_t transposed = CUBLAS_OP_T;
    if (c.transpose_a) set(CUBLASLT_MATMUL_DESC_TRANSA, transposed);
    if (c.transpose_b) set(CUBLASLT_MATMUL_DESC_TRANSB, transposed);
    set(CUBLASLT_MATMUL_DESC_EPILOGUE, c.epilogue);
  }
  Multiplication(const Multiplication&) = delete;
  ~Multiplication() {
    for (cublasLtMatrixLayout_t layout : {a_, b_, d_})
      EXPECT_EQ(cublasLtMatrixLayoutDestroy(layout), CUBLAS_STATUS_SUCCESS);
    EXPECT_EQ(cublasLtMatmulDescDestroy(operation_), CUBLAS_STATUS_SUCCESS);
    EXPECT_EQ(cublasLtDestroy(handle_), CUBLAS_STATUS_SUCCESS);
  }

  cublasStatus_t heuristic(int* found) {
    cublasLtMatmulHeuristicResult_t result{};
    cublasLtMatmulPreference_t preference = nullptr;
    EXPECT_EQ(cublasLtMatmulPreferenceCreate(&preference), CUBLAS_STATUS_SUCCESS);
    const std::size_t workspace = 1 << 20;
    EXPECT_EQ(cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                                                   &workspace, sizeof workspace),
              CUBLAS_STATUS_SUCCESS);
    const cublasStatus_t status =
        cublasLtMatmulAlgoGetHeuristic(handle_, operation_, a_, b_, d_, d_, preference, 1, &result, found);
    EXPECT_EQ(cublasLtMatmulPreferenceDestroy(preference), CUBLAS_STATUS_SUCCESS);
    return status;
  }

  void use_mask(std::uint8_t* mask, std::int64_t ld) {
    set(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, mask);
    set(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD, ld);
  }
  cublasStatus_t run(const float* a, const float* b, float* d, float* bias, cudaStream_t stream = nullptr) {
    set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias);
    return cublasLtMatmul(handle_, operation_, &c_.alpha, a, a_, b, b_, &c_.beta, d, d_, d, d_, nullptr,
                          nullptr, 0, stream);
  }

  const Matrix& ma() const { return ma_; }
  const Matrix& mb() const { return mb_; }
  const Matrix& md() const { return md_; }

 private:
  template <class T>
  void set(cublasLtMatmulDescAttributes_t attribute, const T& value) {
    EXPECT_EQ(cublasLtMatmulDescSetAttribute(operation_, attribute, &value, sizeof value),
              CUBLAS_STATUS_SUCCESS);
  }
  Case c_;
  Matrix ma_, mb_, md_;
  cublasLtHandle_t handle_ = nullptr;
  cublasLtMatmulDesc_t operation_ = nullptr;
  cublasLtMatrixLayout_t a_ = ma_.layout(), b_ = mb_.layout(), d_ = md_.layout();
};

void expect_near(float got, double expected) {
  EXPECT_TRUE(std::abs(got - expected) <= 1e-5 * (1.0 + std::abs(expected))) << got << " for " << expected;
}

void check(const Case& c) {
  Multiplication product(c);
  const auto a = noise(product.ma().size(), 1), b = noise(product.mb().size(), 2),
             d = noise(product.md().size(), 3);
  const bool per_column = c.epilogue == CUBLASLT_EPILOGUE_BGRADB;
  const auto bias = noise(per_column ? c.n : c.m, 4);
  const DeviceArray<float> da(a), db(b), dd(d), dbias(bias);
  ASSERT_EQ(product.run(da.get(), db.get(), dd.get(), dbias.get()), CUBLAS_STATUS_SUCCESS);
  const auto got = dd.values(), got_bias = dbias.values();

  const auto op_a = [&](int i, int l) {
    return double(a[c.transpose_a ? product.ma().at(l, i) : product.ma().at(i, l)]);
  };
  const auto op_b = [&](int l, int j) {
    return double(b[c.transpose_b ? product.mb().at(j, l) : product.mb().at(l, j)]);
  };
  const bool adds = c.epilogue == CUBLASLT_EPILOGUE_BIAS || c.epilogue == CUBLASLT_EPILOGUE_RELU_BIAS;
  const bool rectifies = c.epilogue == CUBLASLT_EPILOGUE_RELU || c.epilogue == CUBLASLT_EPILOGUE_RELU_BIAS;
  for (int i = 0; i < c.m; ++i)
    for (int j = 0; j < c.n; ++j) {
      double expected = c.beta == 0.0f ? 0.0 : double(c.beta) * d[product.md().at(i, j)];
      for (int l = 0; l < c.k; ++l) expected += c.alpha * op_a(i, l) * op_b(l, j);
      if (adds) expected += bias[i];
      if (rectifies) expected = std::max(expected, 0.0);
      expect_near(got[product.md().at(i, j)], expected);
    }
  for (std::size_t i = 0; i < bias.size(); ++i) {
    double expected = bias[i];
    if (c.epilogue == CUBLASLT_EPILOGUE_BGRADA || per_column) {
      expected = 0.0;
      for (int l = 0; l < c.k; ++l) expected += per_column ? op_b(l, int(i)) : op_a(int(i), l);
    }
    expect_near(got_bias[i], expected);
  }
}

TEST(CublasLt, AgreesWithANaiveProduct) {
  for (const auto epilogue :
       {CUBLASLT_EPILOGUE_DEFAULT, CUBLASLT_EPILOGUE_BIAS, CUBLASLT_EPILOGUE_RELU,
        CUBLASLT_EPILOGUE_RELU_BIAS, CUBLASLT_EPILOGUE_BGRADA, CUBLASLT_EPILOGUE_BGRADB})
    for (const bool transpose_a : {false, true})
      for (const bool transpose_b : {false, true})
        for (const bool row_order : {false, true}) {
          SCOPED_TRACE(testing::Message() << "epilogue " << epilogue << " transposed " << transpose_a
                                          << transpose_b << " row order " << row_order);
          check({7, 5, 9, transpose_a, transpose_b, row_order, epilogue, 1.0f, 0.0f, 0});
          check({1, 3, 1, transpose_a, transpose_b, row_order, epilogue, 0.5f, 2.0f, 3});
        }
}

// In the forward pass, positive elements set their mask bits. In the backward pass, set bits let the gradient
// pass, and the gradient's rows are summed.
TEST(CublasLt, ReluMaskSelectsGradients) {
  for (const int m : {7, 128, 130}) {
    const int n = 5, k = 9, ld = (m + 127) / 128 * 128;
    const DeviceArray<std::uint8_t> mask(std::vector<std::uint8_t>(std::size_t(ld) / 8 * n, 0xa5));
    const auto bias = noise(m, 3), a = noise(m * k, 1), b = noise(k * n, 2);
    const DeviceArray<float> da(a), db(b), dd(std::vector<float>(m * n)), dbias(bias), sums(m);
    Multiplication forward({m, n, k, false, false, false, CUBLASLT_EPILOGUE_RELU_AUX_BIAS, 1.0f, 0.0f, 0});
    forward.use_mask(mask.get(), ld);
    ASSERT_EQ(forward.run(da.get(), db.get(), dd.get(), dbias.get()), CUBLAS_STATUS_SUCCESS);
    const auto y = dd.values();

    const auto c = noise(m * k, 4), d = noise(k * n, 5);
    const DeviceArray<float> dc(c), de(d), gradient(std::vector<float>(m * n));
    for (const auto epilogue : {CUBLASLT_EPILOGUE_DRELU, CUBLASLT_EPILOGUE_DRELU_BGRAD}) {
      Multiplication backward({m, n, k, false, false, false, epilogue, 1.0f, 0.0f, 0});
      backward.use_mask(mask.get(), ld);
      ASSERT_EQ(backward.run(dc.get(), de.get(), gradient.get(), sums.get()), CUBLAS_STATUS_SUCCESS);
      const auto got = gradient.values(), got_sums = sums.values();
      for (int i = 0; i < m; ++i) {
        double row = 0.0;
        for (int j = 0; j < n; ++j) {
          double expected = 0.0;
          for (int l = 0; l < k && y[j * m + i] > 0; ++l) expected += double(c[l * m + i]) * d[j * k + l];
          expect_near(got[j * m + i], expected);
          row += expected;
        }
        if (epilogue == CUBLASLT_EPILOGUE_DRELU_BGRAD) expect_near(got_sums[i], row);
      }
    }
  }
}

TEST(CublasLt, ChecksSizeAndAlignmentOfTheMask) {
  Multiplication product({130, 5, 9, false, false, false, CUBLASLT_EPILOGUE_RELU_AUX, 1.0f, 0.0f, 0});
  const DeviceArray<float> a(noise(130 * 9, 1)), b(noise(45, 2)), d(130 * 5);
  const DeviceArray<std::uint8_t> mask(32 * 5), short_mask(32 * 5 - 1);
  const auto run = [&](std::uint8_t* bits, std::int64_t ld) {
    product.use_mask(bits, ld);
    return product.run(a.get(), b.get(), d.get(), nullptr);
  };
  EXPECT_EQ(run(mask.get(), 256), CUBLAS_STATUS_SUCCESS);
  EXPECT_EQ(run(nullptr, 256), CUBLAS_STATUS_INVALID_VALUE);
  EXPECT_EQ(run(mask.get(), 128), CUBLAS_STATUS_INVALID_VALUE)
      << "128 bits per column hold fewer than 130 rows";
  EXPECT_EQ(run(mask.get(), 136), CUBLAS_STATUS_INVALID_VALUE) << "136 bits are not a multiple of 16 bytes";
  EXPECT_EQ(run(mask.get() + 4, 256), CUBLAS_STATUS_INVALID_VALUE) << "the mask is not aligned to 16 bytes";
  EXPECT_MENTIONS(complaint([&] { return run(short_mask.get(), 256), cudaSuccess; }), "the mask at");
}

TEST(CublasLt, AgreesAtTheSizeOfATrainingStep) {
  check({256, 100, 784, true, false, false, CUBLASLT_EPILOGUE_RELU_BIAS, 1.0f, 0.0f, 0});
}

TEST(CublasLt, OutputsThatBetaIgnoresMayBeNaN) {
  const Case c{4, 4, 4, false, false, false, CUBLASLT_EPILOGUE_DEFAULT, 1.0f, 0.0f, 0};
  Multiplication product(c);
  const DeviceArray<float> a(noise(16, 1)), b(noise(16, 2)), d(16);
  EXPECT_EQ(product.run(a.get(), b.get(), d.get(), nullptr), CUBLAS_STATUS_SUCCESS);
  for (const float v : d.values()) EXPECT_TRUE(std::isfinite(v));
}

TEST(CublasLt, UnwrittenOperandsAreReported) {
  const Case c{6, 4, 5, false, false, false, CUBLASLT_EPILOGUE_BIAS, 1.0f, 0.0f, 0};
  Multiplication product(c);
  const DeviceArray<float> a(noise(30, 1)), b(noise(20, 2)), bias(noise(6, 3)), unwritten(30), d(24);
  const auto run = [&](const float* pa, const float* pb, float* pbias) {
    return complaint([&] {
      EXPECT_EQ(product.run(pa, pb, d.get(), pbias), CUBLAS_STATUS_SUCCESS);
      return cudaSuccess;
    });
  };
  EXPECT_EQ(run(a.get(), b.get(), bias.get()), "");
  EXPECT_MENTIONS(run(unwritten.get(), b.get(), bias.get()), "reads A, of which line 0 was never written");
  EXPECT_MENTIONS(run(a.get(), unwritten.get(), bias.get()), "reads B");
  EXPECT_MENTIONS(run(a.get(), b.get(), unwritten.get()), "reads a bias that was never written");
  // A copy on the device inherits the unwritten bytes of its source.
  const DeviceArray<float> copied(noise(30, 4));
  EXPECT_EQ(cudaMemcpy(unwritten.get(), a.get(), 29 * sizeof(float), cudaMemcpyDeviceToDevice), cudaSuccess);
  EXPECT_EQ(cudaMemcpy(copied.get(), unwritten.get(), 30 * sizeof(float), cudaMemcpyDeviceToDevice),
            cudaSuccess);
  EXPECT_MENTIONS(run(copied.get(), b.get(), bias.get()), "reads A, of which line 4 was never written");
}

TEST(CublasLt, OperandsOutsideTheirAllocationAreReported) {
  const Case c{6, 4, 5, false, false, false, CUBLASLT_EPILOGUE_BIAS, 1.0f, 0.0f, 0};
  Multiplication product(c);
  const DeviceArray<float> a(noise(30, 1)), b(noise(20, 2)), short_b(19), d(24), bias(noise(6, 3)),
      short_bias(5);
  std::vector<float> host(30);
  const auto run = [&](const float* pa, const float* pb, float* pbias) {
    return complaint([&] {
      EXPECT_EQ(product.run(pa, pb, d.get(), pbias), CUBLAS_STATUS_SUCCESS);
      return cudaSuccess;
    });
  };
  EXPECT_EQ(run(a.get(), b.get(), bias.get()), "");
  EXPECT_MENTIONS(run(a.get(), short_b.get(), bias.get()), "B at");
  EXPECT_MENTIONS(run(a.get(), short_b.get(), bias.get()), "needs 80 bytes; its allocation has 76 bytes");
  EXPECT_MENTIONS(run(host.data(), b.get(), bias.get()), "A at");
  EXPECT_MENTIONS(run(a.get(), b.get(), short_bias.get()), "bias at");
}

TEST(CublasLt, IsCapturedIntoGraphs) {
  const Case c{3, 3, 3, false, false, false, CUBLASLT_EPILOGUE_DEFAULT, 1.0f, 1.0f, 0};
  Multiplication product(c);
  const DeviceArray<float> a(std::vector<float>(9, 1.0f)), b(std::vector<float>(9, 1.0f)),
      d(std::vector<float>(9));
  cudaStream_t stream = nullptr;
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t exec = nullptr;
  ASSERT_EQ(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), cudaSuccess);
  ASSERT_EQ(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal), cudaSuccess);
  EXPECT_EQ(product.run(a.get(), b.get(), d.get(), nullptr, stream), CUBLAS_STATUS_SUCCESS);
  ASSERT_EQ(cudaStreamEndCapture(stream, &graph), cudaSuccess);
  ASSERT_EQ(cudaGraphInstantiate(&exec, graph, 0), cudaSuccess);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(cudaGraphLaunch(exec, stream), cudaSuccess);
  EXPECT_EQ(cudaStreamSynchronize(stream), cudaSuccess);
  EXPECT_EQ(d.values(), std::vector<float>(9, 9.0f));
  EXPECT_EQ(cudaGraphExecDestroy(exec), cudaSuccess);
  EXPECT_EQ(cudaGraphDestroy(graph), cudaSuccess);
  EXPECT_EQ(cudaStreamDestroy(stream), cudaSuccess);
}

TEST(CublasLt, RefusesUnsupportedFeatures) {
  int found = -1;
  Multiplication gelu({4, 4, 4, false, false, false, CUBLASLT_EPILOGUE_GELU, 1.0f, 0.0f, 0});
  EXPECT_EQ(gelu.heuristic(&found), CUBLAS_STATUS_NOT_SUPPORTED);
  EXPECT_EQ(found, 0);
  Multiplication plain({4, 4, 4, false, false, false, CUBLASLT_EPILOGUE_DEFAULT, 1.0f, 0.0f, 0});
  EXPECT_EQ(plain.heuristic(&found), CUBLAS_STATUS_SUCCESS);
  EXPECT_EQ(found, 1);
  EXPECT_STREQ(cublasLtGetStatusString(CUBLAS_STATUS_NOT_SUPPORTED), "CUBLAS_STATUS_NOT_SUPPORTED");
  EXPECT_NE(cublasLtGetVersion(), 0u);
}

TEST(CublasLt, IsFoundByDlsym) {
  EXPECT_EQ(dlsym(RTLD_DEFAULT, "cublasLtCreate"), reinterpret_cast<void*>(&cublasLtCreate));
}

}  // namespace
