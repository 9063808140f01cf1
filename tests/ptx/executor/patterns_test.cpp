// Memory checks must give the same results for every access pattern (consecutive, strided, in groups of four,
// reversed, all lanes at one address), for every width (bytes, words, vectors), and for full and partial
// warps.
#include <gtest/gtest.h>

#include <functional>
#include <sstream>

#include "test_kernels.h"

namespace ptx {
namespace {

constexpr unsigned kThreads = 64;
constexpr std::size_t kBytes = 1 << 16;

struct Width {
  const char* type;
  unsigned bytes;
  std::string registers;
};
const Width kWidths[] = {
    {"u8", 1, "%h"}, {"b32", 4, "%v0"}, {"v2.b32", 8, "{%v0, %v1}"}, {"v4.b32", 16, "{%v0, %v1, %v2, %v3}"}};

// Maps a thread to the index of the element that it accesses.
struct Pattern {
  const char* name;
  unsigned (*place)(unsigned thread);
};
constexpr Pattern kPatterns[] = {{"row", [](unsigned t) { return t; }},
                                 {"distance", [](unsigned t) { return 3 * t; }},
                                 {"fours", [](unsigned t) { return t / 4 * 20 + t % 4; }},
                                 {"backwards", [](unsigned t) { return kThreads - 1 - t; }}};

// Returns a kernel whose thread t stores to places[t], executes `between` and loads from places[t ^ flip].
std::string exchange(const std::string& space, const Width& width, unsigned flip,
                     const std::string& between) {
  const std::string place =
      "mul.wide.u32 %offset, %t, 8;\nadd.s64 %address, %places, %offset;\n"
      "ld.global.u64 %address, [%address];\nadd.s64 %address, %address, %base;\n";
  const std::string access = space + "." + width.type;
  return module_text(
      ".visible .entry exchange(.param .u64 memory, .param .u64 places)\n{\n"
      ".reg .b16 %h;\n.reg .b32 %t, %v<4>;\n.reg .b64 %base, %places, %offset, %address;\n"
      ".shared .align 16 .b8 tile[" +
      std::to_string(kBytes / 2) + "];\n" +
      (space == "shared" ? "mov.u64 %base, tile;\n" : "ld.param.u64 %base, [memory];\n") +
      "ld.param.u64 %places, [places];\nmov.u32 %t, %tid.x;\n"
      "mov.b16 %h, 7;\nmov.b32 %v0, %t;\nmov.b32 %v1, 1;\nmov.b32 %v2, 2;\nmov.b32 %v3, 3;\n" +
      place + "st." + access + " [%address], " + width.registers + ";\n" + between + "\nxor.b32 %t, %t, " +
      std::to_string(flip) + ";\n" + place + "ld." + access + " " + width.registers +
      ", [%address];\nret;\n}\n");
}

class Patterns : public testing::Test {
 protected:
  // Returns the byte offset that each thread accesses.
  static std::vector<std::uint64_t> places_of(const Width& width, const Pattern& pattern) {
    std::vector<std::uint64_t> places;
    for (unsigned t = 0; t < kThreads; ++t) places.push_back(std::uint64_t(pattern.place(t)) * width.bytes);
    return places;
  }
  // Runs an exchange and returns the text of its error, or "" if there is none.
  std::string error(const std::string& space, const Width& width, const Pattern& pattern, unsigned flip,
                    const std::string& between, unsigned threads) {
    Module module = Module::load(exchange(space, width, flip, between));
    module.options.uninitialized = false;  // a load that comes too early must be reported as a race
    try {
      module.launch(memory_, "exchange", {1}, {threads}, 0, base_,
                    upload(memory_, places_of(width, pattern)));
    } catch (const Error& e) {
      return e.what();
    }
    return "";
  }
  // Returns the address that a thread accesses, such as "0x40".
  std::string place(const std::string& space, const Width& width, const Pattern& pattern,
                    unsigned thread) const {
    const auto base = space == "shared" ? 0 : reinterpret_cast<std::uintptr_t>(base_);
    std::ostringstream text;
    text << "0x" << std::hex << base + std::uintptr_t(pattern.place(thread)) * width.bytes;
    return text.str();
  }
  void for_all(
      const std::function<void(const char* space, const Width&, const Pattern&, unsigned threads)>& f) {
    for (const char* space : {"shared", "global"})
      for (const Width& width : kWidths)
        for (const Pattern& pattern : kPatterns)
          for (const unsigned threads : {kThreads, kThreads - 11}) {
            SCOPED_TRACE(std::string(space) + " " + width.type + " " + pattern.name + " " +
                         std::to_string(threads));
            f(space, width, pattern, threads);
          }
  }

  Memory memory_;
  char* base_ = memory_.allocate<char>(kBytes, "memory");
};

TEST_F(Patterns, OrderedExchangesPass) {
  for_all([&](const char* space, const Width& width, const Pattern& pattern, unsigned threads) {
    EXPECT_EQ(error(space, width, pattern, 0, "", threads), "");
    EXPECT_EQ(error(space, width, pattern, 1, "bar.warp.sync -1;", threads & ~31u), "");
    EXPECT_EQ(error(space, width, pattern, 1, "bar.sync 0;", threads), "");
    EXPECT_EQ(error(space, width, pattern, 32, "bar.sync 0;", threads), "");
  });
}

TEST_F(Patterns, RacesBetweenLanesAreFound) {
  for_all([&](const char* space, const Width& width, const Pattern& pattern, unsigned threads) {
    const std::string found = error(space, width, pattern, 1, "", threads);
    EXPECT_NE(found.find(std::string("race in ") + space + " memory at " + place(space, width, pattern, 1) +
                         ": this load and an earlier access by "),
              std::string::npos)
        << found;
    EXPECT_NE(found.find("thread (1, 0, 0) are not ordered"), std::string::npos) << found;
  });
}

TEST_F(Patterns, RacesBetweenWarpsAreFound) {
  for (const char* between : {"", "bar.warp.sync -1;"})
    for_all([&](const char* space, const Width& width, const Pattern& pattern, unsigned threads) {
      if (*between) threads &= ~31u;
      if (threads <= 32) return;
      const std::string found = error(space, width, pattern, 32, between, threads);
      EXPECT_NE(found.find(std::string("race in ") + space + " memory at " +
                           place(space, width, pattern, 32) + ": this store and an earlier access by "),
                std::string::npos)
          << found;
      EXPECT_NE(found.find("thread (0, 0, 0) are not ordered"), std::string::npos) << found;
    });
}

TEST_F(Patterns, StoresOfAllThreadsToOneWordAreARace) {
  const Pattern one{"one", [](unsigned) { return 5u; }};
  for (const char* space : {"shared", "global"}) {
    const std::string found = error(space, kWidths[1], one, 0, "", 32);
    EXPECT_NE(found.find("this store and an earlier access by "), std::string::npos) << found;
    EXPECT_NE(found.find("thread (0, 0, 0) are not ordered"), std::string::npos) << found;
  }
}

// Threads store through one list of places and load through a second list. In the second list, the place of
// thread 9 may be the element after the one that it has written.
TEST_F(Patterns, UnwrittenWordsAreFound) {
  for_all([&](const char* space, const Width& width, const Pattern& pattern, unsigned threads) {
    std::vector<std::uint64_t> places = places_of(width, pattern);
    places[9] += 1 << 14;  // away from the places of all other threads
    const std::string second_list = "add.s64 %places, %places, " + std::to_string(8 * kThreads) + ";";
    const Module module = Module::load(exchange(space, width, 0, "bar.sync 0;\n" + second_list));
    const auto run = [&](std::uint64_t distance) {
      std::vector<std::uint64_t> both = places;
      both.insert(both.end(), places.begin(), places.end());
      both[kThreads + 9] += distance;
      Memory memory;
      module.launch(memory, "exchange", {1}, {threads}, 0, memory.allocate<char>(kBytes, "memory"),
                    upload(memory, both));
    };
    EXPECT_NO_THROW(run(0));
    try {
      run(width.bytes);
      ADD_FAILURE() << "expected an error";
    } catch (const Error& e) {
      EXPECT_NE(
          std::string(e.what()).find(std::string("load of ") + space + " memory that was never written"),
          std::string::npos)
          << e.what();
      EXPECT_NE(std::string(e.what()).find("thread (9, 0, 0)"), std::string::npos) << e.what();
    }
  });
}

}  // namespace
}  // namespace ptx
