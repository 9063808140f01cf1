// Global stores of a block that other blocks cannot see yet (Options::delayed_stores).
#pragma once

#include <cstdint>
#include <unordered_map>

#include "race.h"

namespace ptx {

class StoreBuffer {
 public:
  bool empty() const { return words_.empty(); }
  void store(std::uint64_t address, const char* value, unsigned bytes, const Moment& by);
  // Overwrites `value`, the contents of memory at `address`, with the bytes that the block has stored there.
  void overlay(std::uint64_t address, char* value, unsigned bytes) const;
  // Makes visible what a fence by these threads of a warp covers: their own stores, and those of other
  // threads that a barrier, or a bar.warp.sync of the whole warp, has ordered before the fence.
  void fence(unsigned warp, std::uint32_t lanes, std::uint32_t time, std::uint16_t full_sync);
  void publish(std::uint64_t address, unsigned bytes);
  void publish_all();

 private:
  struct Word {
    char value[4];
    std::uint8_t mask = 0;  // bytes that the block has stored
    Moment by{};
  };
  static void publish(std::uint64_t address, const Word& word);
  std::unordered_map<std::uint64_t, Word> words_;  // by address
};

}  // namespace ptx
