// Next hop index -> destination MAC and egress port, written by the main core as the kernel's answers
// come in, read by every worker on every packet.
//
// Layout: one 64-bit word an index, so a reader sees a whole next hop or none:
//   MAC 48 | port 8 | resolved 1 | 0        (bit 0 first; the MAC's first byte lowest)
//
// Threads: one writer, any number of readers. Relaxed: a word stands for itself, nothing is reached
// through it.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstring>
#include <optional>
#include <vector>

#include "lib/net/address.h"

namespace maglb {

struct NextHop {
  MacAddress mac;
  uint8_t port = 0;  // index of the egress port
  friend constexpr bool operator==(const NextHop&, const NextHop&) = default;
};

class NextHopTable {
 public:
  explicit NextHopTable(size_t limit) : words_(limit) {}

  size_t limit() const { return words_.size(); }

  // REQUIRES of all: index < limit().
  void set(uint32_t index, const NextHop& next_hop) {
    words_[index].store(next_hop.mac.word() | uint64_t{next_hop.port} << 48 | kResolved,
                        std::memory_order_relaxed);
  }
  void clear(uint32_t index) { words_[index].store(0, std::memory_order_relaxed); }
  // For the packet path: the word taken apart where it is used.
  class Word {
   public:
    explicit Word(uint64_t bits) : bits_(bits) {}
    bool is_resolved() const { return (bits_ & kResolved) != 0; }
    uint8_t port() const { return static_cast<uint8_t>(bits_ >> 48); }
    uint64_t mac() const { return bits_ & 0xffffffffffff; }  // as MacAddress::word()

   private:
    uint64_t bits_;
  };
  Word word(uint32_t index) const { return Word(words_[index].load(std::memory_order_relaxed)); }
  // Nothing while it is not resolved.
  std::optional<NextHop> get(uint32_t index) const {
    const Word found = word(index);
    if (!found.is_resolved()) {
      return std::nullopt;
    }
    NextHop next_hop;
    const uint64_t mac = found.mac();
    std::memcpy(next_hop.mac.bytes.data(), &mac, 6);
    next_hop.port = found.port();
    return next_hop;
  }

 private:
  static constexpr uint64_t kResolved = uint64_t{1} << 56;
  std::vector<std::atomic<uint64_t>> words_;
};

}  // namespace maglb
