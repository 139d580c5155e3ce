// Which service a packet is for: exact address, protocol and port, found with one probe.
//
// Layout: an array of cells, a cache line each with a service's key and its view, at most half of them
// taken, and an array of displacements. A key's hash names a group; the group's displacement moves the
// keys of that group to cells that no other key has, so that a key lies in the one cell that its hash
// and displacement say or nowhere (hash and displace: Belazzougui, Botelho, Dietzfelbinger, 2009).
//
// The hash is not keyed by a secret: services are the operator's own, a packet can choose which service
// it asks for, not which there are, and asks one cell whatever it chooses.
//
// Threads: immutable once made; any number of readers.
#pragma once

#include <array>
#include <cstdint>
#include <memory_resource>
#include <span>
#include <unordered_set>
#include <vector>

#include "lib/base/byte_order.h"
#include "lib/base/coarse_clock.h"
#include "lib/net/flow_key.h"
#include "lib/net/forward_mode.h"

namespace maglb {

// How long flows are remembered, by FlowState: opening, established, closing, UDP.
struct ServiceTimeouts {
  static constexpr size_t kStates = 4;

  std::array<uint32_t, kStates> milliseconds{};
  // An entry is given this much more than its timeout, and is renewed when less than the timeout is left:
  // a busy flow's line is not written with every packet.
  static constexpr Duration margin(Duration timeout) { return timeout / 128; }
  // Renew at this many of the deadline's units or fewer (Deadline::units_left()).
  std::array<int16_t, kStates> renew_units{};

  Duration of(size_t state) const { return std::chrono::milliseconds(milliseconds[state]); }
  // Rounded up to milliseconds. REQUIRES: at most Deadline::kLongest.
  void set(size_t state, Duration timeout) {
    milliseconds[state] = static_cast<uint32_t>((timeout + Duration(999'999)) / std::chrono::milliseconds(1));
    renew_units[state] = Deadline::units_of(of(state), of(state) + margin(of(state)));
  }
};

struct ServiceView {
  uint32_t id = 0;       // never reused while the process runs; part of every flow's digest
  uint32_t counter = 0;  // index of the workers' service counters
  uint16_t pool = 0;     // number
  ForwardMode forward = ForwardMode::kIpip;
  bool keep_on_failure = false;
  bool track_flows = true;
  ServiceTimeouts timeouts;
};

class ServiceIndex {
 public:
  struct Service {
    IpAddress address;
    Protocol protocol = Protocol::kTcp;
    Be16 port;
    ServiceView view;
  };

  // REQUIRES: no two have the same address, protocol and port; none has Protocol::kAny.
  ServiceIndex(std::span<const Service> services, std::pmr::memory_resource* memory);

  // The service of the flow's destination; null if there is none.
  const ServiceView* find(const FlowKey& flow) const {
    return find(Key::of(flow.destination, flow.rest() >> 16));
  }
  const ServiceView* find(const IpAddress& address, Protocol protocol, Be16 port) const;
  bool has_address(const IpAddress& address) const { return addresses_.contains(address); }
  size_t size() const { return size_; }

 private:
  struct Key {
    uint64_t high = 0;  // of the address, as it lies in memory
    uint64_t low = 0;
    uint32_t rest = 0;  // port, protocol and a zero byte as they lie in FlowKey; 0: of an empty cell

    static Key of(const IpAddress& address, uint64_t rest) {
      return {load_le64(address.bytes.data()), load_le64(address.bytes.data() + 8),
              static_cast<uint32_t>(rest)};
    }
    bool matches(const Key& other) const {
      return ((high ^ other.high) | (low ^ other.low) | (rest ^ other.rest)) == 0;
    }
  };
  struct alignas(64) Cell {
    Key key;
    ServiceView view;
  };
  static_assert(sizeof(Cell) == 64);

  uint64_t hash(const Key& key) const {
    __extension__ using Wide = unsigned __int128;
    const Wide product =
        static_cast<Wide>(key.low ^ seed_ ^ key.rest * 0x9e3779b97f4a7c15) * (key.high ^ 0xbf58476d1ce4e5b9);
    return static_cast<uint64_t>(product >> 64) ^ static_cast<uint64_t>(product);
  }
  // Different bits choose the group and the cell.
  size_t group_of(uint64_t hash) const { return (hash >> 40) & group_mask_; }
  size_t cell_of(uint64_t hash, uint32_t displacement) const {
    return ((hash >> 8) ^ displacement) & cell_mask_;
  }
  const ServiceView* find(const Key& key) const {
    const uint64_t h = hash(key);
    const Cell& cell = cells_[cell_of(h, displacements_[group_of(h)])];
    return cell.key.matches(key) ? &cell.view : nullptr;
  }

  // False: some group found no free cells under this seed.
  bool place(std::span<const Service> services);

  std::pmr::vector<Cell> cells_;
  std::pmr::vector<uint32_t> displacements_;
  uint64_t cell_mask_ = 0;
  uint64_t group_mask_ = 0;
  uint64_t seed_ = 0;
  size_t size_ = 0;
  std::pmr::unordered_set<IpAddress, IpAddressHash> addresses_;
};

}  // namespace maglb
