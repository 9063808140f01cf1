#include "store_buffer.h"

#include <cstring>

namespace ptx {

void StoreBuffer::store(std::uint64_t address, const char* value, unsigned bytes, const Moment& by) {
  for (unsigned k = 0; k < bytes; ++k) {
    Word& word = words_[(address + k) & ~std::uint64_t(3)];
    word.value[(address + k) % 4] = value[k];
    word.mask = static_cast<std::uint8_t>(word.mask | 1u << ((address + k) % 4));
    word.by = by;
  }
}

void StoreBuffer::overlay(std::uint64_t address, char* value, unsigned bytes) const {
  for (unsigned k = 0; k < bytes; ++k) {
    const auto found = words_.find((address + k) & ~std::uint64_t(3));
    const auto byte = (address + k) % 4;
    if (found != words_.end() && (found->second.mask >> byte & 1)) value[k] = found->second.value[byte];
  }
}

void StoreBuffer::publish(std::uint64_t address, const Word& word) {
  for (unsigned byte = 0; byte < 4; ++byte)
    if (word.mask >> byte & 1) reinterpret_cast<char*>(address)[byte] = word.value[byte];
}

void StoreBuffer::fence(unsigned warp, std::uint32_t lanes, std::uint32_t time, std::uint16_t full_sync) {
  const auto covered = [&](const Moment& by) {
    if (by.time < time) return true;
    if (by.thread / 32 != warp) return false;
    return (lanes >> (by.thread % 32) & 1) != 0 || by.sync < full_sync;
  };
  for (auto at = words_.begin(); at != words_.end();) {
    if (covered(at->second.by)) {
      publish(at->first, at->second);
      at = words_.erase(at);
    } else {
      ++at;
    }
  }
}

void StoreBuffer::publish(std::uint64_t address, unsigned bytes) {
  for (std::uint64_t word = address & ~std::uint64_t(3); word < address + bytes; word += 4) {
    const auto found = words_.find(word);
    if (found == words_.end()) continue;
    publish(word, found->second);
    words_.erase(found);
  }
}

void StoreBuffer::publish_all() {
  for (const auto& [address, word] : words_) publish(address, word);
  words_.clear();
}

}  // namespace ptx
