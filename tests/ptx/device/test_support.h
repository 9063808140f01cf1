// Device arrays and expectations that the tests of the emulated libraries share.
#pragma once

#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "control.h"

template <class T>
class DeviceArray {
 public:
  explicit DeviceArray(std::size_t n) : n_(n) {
    EXPECT_EQ(cudaMalloc(reinterpret_cast<void**>(&p_), n * sizeof(T)), cudaSuccess);
  }
  explicit DeviceArray(const std::vector<T>& values) : DeviceArray(values.size()) {
    EXPECT_EQ(cudaMemcpy(p_, values.data(), n_ * sizeof(T), cudaMemcpyHostToDevice), cudaSuccess);
  }
  DeviceArray(const DeviceArray&) = delete;
  ~DeviceArray() { EXPECT_EQ(cudaFree(p_), cudaSuccess); }
  T* get() const { return p_; }
  std::vector<T> values() const {
    std::vector<T> host(n_);
    EXPECT_EQ(cudaMemcpy(host.data(), p_, n_ * sizeof(T), cudaMemcpyDeviceToHost), cudaSuccess);
    return host;
  }

 private:
  T* p_ = nullptr;
  std::size_t n_;
};

// Returns the numbers 1, 2, ..., n.
inline std::vector<float> counting(std::size_t n) {
  std::vector<float> values(n);
  for (std::size_t i = 0; i < n; ++i) values[i] = float(i + 1);
  return values;
}

// Runs `action`, waits for the device, and returns the emulator's error message, or "" if there is none.
template <class Action>
std::string complaint(Action action) {
  try {
    EXPECT_EQ(action(), cudaSuccess);
    EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);
  } catch (const emulator::Error& e) {
    return e.what();
  }
  return {};
}

inline bool mentions(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}
#define EXPECT_MENTIONS(text, part) \
  EXPECT_TRUE(mentions(text, part)) << "expected the text \"" << (part) << "\", got: " << text
