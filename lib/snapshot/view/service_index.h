// Which service a packet is for. One of its very address, protocol and port is found with one probe;
// what finds none there may still be a wider one's (wide_services.h).
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
#include <deque>
#include <memory_resource>
#include <optional>
#include <span>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "lib/base/byte_order.h"
#include "lib/base/coarse_clock.h"
#include "lib/net/flow_key.h"
#include "lib/net/forward_mode.h"
#include "lib/snapshot/view/service_extra.h"
#include "lib/snapshot/view/wide_services.h"

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
  uint8_t special = 0;  // what else is to be done for its packets before they are tracked
  uint16_t extra = 0;   // index: ServiceIndex::extra()
  ServiceTimeouts timeouts;

  static constexpr uint8_t kFilterSource = 1;  // not every client is let in
  static constexpr uint8_t kClampMss = 2;
  static constexpr uint8_t kRouteQuic = 4;  // by connection id
  static constexpr uint8_t kTranslate = 8;  // nat, a path of its own
};
static_assert(sizeof(ServiceView) == 40);

class ServiceIndex {
 public:
  struct Service {
    IpPrefix address;
    Protocol protocol = Protocol::kTcp;
    PortRange port;
    ServiceView view;  // `special` and `extra` are filled in
    ServiceOptions options = {};
  };

  // REQUIRES: of two that match one packet one is the more specific.
  ServiceIndex(std::span<const Service> services, std::pmr::memory_resource* memory);

  // The service of that very address, protocol and port; null if there is none.
  const ServiceView* find_exact(const FlowKey& flow) const {
    return find(Key::of(flow.destination, flow.rest() >> 16));
  }
  // The most specific service of the flow's destination; null if there is none.
  const ServiceView* find(const FlowKey& flow) const {
    // Without a protocol, port and address it would be the key of an empty cell.
    const ServiceView* exact = flow.protocol == Protocol::kAny ? nullptr : find_exact(flow);
    return exact != nullptr ? exact : find_wide(flow);
  }
  const ServiceView* find_wide(const FlowKey& flow) const;
  // Whether some service has the address, perhaps among others.
  bool has_address(const IpAddress& address) const {
    return addresses_.contains(address) || wide_->has_address(address);
  }
  // A service of the address that wants echo requests; null: they are answered here.
  const ServiceView* wants_ping(const IpAddress& address) const;
  const ServiceExtra& extra(const ServiceView& service) const { return extras_[service.extra]; }
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
  struct Exact {
    Key key;
    ServiceView view;
  };
  static_assert(sizeof(Cell) == 64);

  // A factor that is zero makes all keys of its other factor alike: where that befalls services, they find
  // no cells, and other seeds are taken.
  uint64_t hash(const Key& key) const {
    __extension__ using Wide = unsigned __int128;
    const Wide product =
        static_cast<Wide>(key.low ^ seed_ ^ key.rest * 0x9e3779b97f4a7c15) * (key.high ^ high_seed_);
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
  bool place(const std::vector<Exact>& services);
  void place_all(const std::vector<Exact>& services);
  ServiceView view_of(const Service& service);
  static Key key_of(const IpAddress& address, Protocol protocol, Be16 port);

  std::pmr::vector<Cell> cells_;
  std::pmr::vector<uint32_t> displacements_;
  uint64_t cell_mask_ = 0;
  uint64_t group_mask_ = 0;
  uint64_t seed_ = 0;
  uint64_t high_seed_ = 0;
  size_t size_ = 0;
  std::pmr::unordered_set<IpAddress, IpAddressHash> addresses_;  // of services of one address
  std::pmr::deque<ServiceExtra> extras_;  // the first is that of services without options
  std::pmr::vector<ServiceView> wide_views_;
  std::optional<WideServices> wide_;                                      // always there once made
  std::pmr::unordered_map<IpAddress, ServiceView, IpAddressHash> pings_;  // where they are wanted
  bool wide_pings_ = false;                                               // some wide service wants them
};

}  // namespace maglb
