// What the packets that pass tell of a backend that does not answer, without a probe: a worker's counts, of
// the pools that ask for them (PlaceCounters::is_passive). They decide nothing.
//
//   refused    somebody said no to a flow that was opening: a reset of the backend, where its replies come by
//              here (nat), or an ICMP error "unreachable" that comes back to us (nat, tunnels). By session of
//              nat, by error of a tunnel
//   repeated   a SYN of a flow that was opening already: the client has seen no answer
//   lapsed     a flow that a SYN had opened, of which nothing but SYNs was seen until its opening timeout.
//              Where replies go by another way, this is what a reset looks like: the client has nothing more
//              to send. Nor has a client that never was: a SYN flood lapses with every backend alike
//
// Not counted as lapsed: what had to give way while it was opening (a flood fills the table), what moved to
// another backend, and what nat has seen an answer to. An entry that another worker took over lapses where it
// was, too.
//
// Threads: count() of the worker; value() of anyone.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <vector>

namespace maglb {

enum class Signal : uint8_t { kRefused = 0, kRepeated, kLapsed };
inline constexpr size_t kSignals = 3;

class BackendSignals {
 public:
  static constexpr size_t kBytesEach = kSignals * sizeof(std::atomic<uint64_t>);

  BackendSignals(size_t backends_limit, std::pmr::memory_resource* memory)
      : counts_(backends_limit, memory) {}

  // `index`: BackendView::counter.
  void count(uint32_t index, Signal signal) {
    std::atomic<uint64_t>& count = counts_[index][static_cast<size_t>(signal)];
    count.store(count.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
  uint64_t value(uint32_t index, Signal signal) const {
    return counts_[index][static_cast<size_t>(signal)].load(std::memory_order_relaxed);
  }

 private:
  std::pmr::vector<std::array<std::atomic<uint64_t>, kSignals>> counts_;
};

}  // namespace maglb
