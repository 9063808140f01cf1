// What the tests of the machine share: a module of kernels, device arrays, and the parts of an error's text.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <iterator>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include "ptx.h"

namespace ptx {

inline std::vector<std::string> lines_of(const std::string& path) {
  std::ifstream in(path);
  EXPECT_TRUE(in) << "cannot read " << path;
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

// What an error is expected to say: "kernel: what", the source line marked "@kernel", block and thread.
struct Report {
  std::string kernel, what, block, thread;
};

class MachineTest : public testing::Test {
 protected:
  // `name`.ptx is compiled from executor/`name`.cu.
  explicit MachineTest(const std::string& name)
      : source_(lines_of(std::string(GPUVAE_SOURCE_DIR) + "/tests/ptx/executor/" + name + ".cu")),
        ptx_(lines_of(std::string(GPUVAE_PTX_DIR) + "/" + name + ".ptx")) {
    std::string text;
    for (const std::string& line : ptx_) text += line + "\n";
    module = Module::load(text);
  }

  template <class T>
  T* upload(const std::vector<T>& values, const char* name) {
    T* p = memory.allocate<T>(values.size(), name);
    std::memcpy(p, values.data(), values.size() * sizeof(T));
    memory.mark_written(p, values.size() * sizeof(T));
    return p;
  }
  float* upload_counting(std::size_t n, const char* name) {
    std::vector<float> values(n);
    for (std::size_t i = 0; i < n; ++i) values[i] = static_cast<float>(i + 1);
    return upload(values, name);
  }

  // The text of the error that `action` throws; empty if it throws none.
  template <class Action>
  static std::string error_of(Action action) {
    try {
      action();
    } catch (const Error& e) {
      return e.what();
    }
    return "";
  }

  // Checks all parts of an error: the PTX line must hold the quoted text, the source line (of the call, where
  // a function is inlined) the kernel's mark.
  void expect_report(const std::string& error, const Report& expected) const {
    std::istringstream stream(error);
    std::string first, place, position;
    std::getline(stream, first);
    std::getline(stream, place);
    std::getline(stream, position);
    EXPECT_EQ(first, expected.kernel + ": " + expected.what);
    EXPECT_EQ(position, "  block " + expected.block + ", thread " + expected.thread);
    expect_place(place, expected.kernel);
  }
  void expect_place(const std::string& place, const std::string& mark) const {
    std::smatch match;
    ASSERT_TRUE(
        std::regex_search(place, match, std::regex("PTX line (\\d+) \\((.*_kernels\\.cu):(\\d+)\\): (.*)")))
        << place;
    EXPECT_NE(ptx_.at(std::stoul(match[1]) - 1).find(match[4].str()), std::string::npos) << place;
    EXPECT_NE(source_.at(std::stoul(match[3]) - 1).find("@" + mark), std::string::npos) << place;
  }

  static std::string hex(const void* p, std::size_t offset = 0) {
    std::ostringstream text;
    text << "0x" << std::hex << reinterpret_cast<std::uintptr_t>(p) + offset;
    return text.str();
  }
  static std::string range(const void* p, std::size_t bytes) {
    return "[" + hex(p) + ", " + hex(p, bytes) + "), " + std::to_string(bytes) + " bytes";
  }

  // All orders, each with stores that are visible at once and with delayed ones.
  static std::vector<Options> all_orders() {
    std::vector<Options> all;
    for (const bool delayed : {false, true}) {
      for (const Order order : {Order::ascending, Order::descending, Order::random}) {
        for (std::uint64_t seed = 1; seed <= (order == Order::random ? 8u : 1u); ++seed) {
          Options options;
          options.order = order;
          options.seed = seed;
          options.delayed_stores = delayed;
          all.push_back(options);
        }
      }
    }
    return all;
  }

  Memory memory;
  Module module;

 private:
  std::vector<std::string> source_, ptx_;
};

}  // namespace ptx
