// Fixture for tests of the machine: a module of kernels, device arrays, and checks of error texts.
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

// The expected parts of an error: the text "kernel: what", the source line with the mark "@kernel" in a
// comment, the block and the thread.
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

  // Returns the text of the error that `action` throws, or an empty text if it throws none.
  template <class Action>
  static std::string error_of(Action action) {
    try {
      action();
    } catch (const Error& e) {
      return e.what();
    }
    return "";
  }

  // Checks all parts of an error. The PTX line of that number must contain the quoted instruction. The source
  // line must contain the mark "@kernel"; for an inlined function it is the line of the call.
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

  // Returns all orders, each with immediate and with delayed visibility of stores.
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
