// Next hops: for each backend's address, the interface and MAC address that a frame for it needs, as
// the kernel of this network namespace routes it. Follows the kernel's changes; workers never see this
// class, they read what the observer stored.
//
// For each next hop the monitor asks the kernel for the route (RTM_GETROUTE), and again after every
// change of routes, rules, links or addresses, and when the neighbour fails: of several paths the kernel
// may then take another. The route gives interface and neighbour: the gateway, which may be of another
// family than the address (RFC 8950) or link-local, or the address itself. The neighbour's MAC comes from
// the kernel's neighbour table, ARP's or NDP's:
//
//   REACHABLE STALE DELAY PROBE PERMANENT NOARP   usable
//   FAILED                                        unresolved
//   INCOMPLETE, NONE, no entry (collected)        the last known MAC, else unresolved
//
// The kernel does not see the traffic of AF_XDP and PCI ports and would let an entry rest as STALE
// forever, so the monitor has it verified (NTF_USE), and has a missing or failed one looked for, with
// growing pauses. Nothing is written to the kernel that has to be cleaned up later. The kernel looks for an
// IPv6 neighbour from the interface's link-local address: without one nobody answers.
//
// Invariants:
//   1. The observer hears of every index at least once after acquire() and of each change of its state
//      once, only from poll_once(), and never of a released index.
//   2. A next hop with references keeps its index; equal (address, kind) share one.
//   3. poll_once() reads, asks and requests a bounded number of times; the rest waits for the next call.
//
// Thread: one, whose network namespace is the ports'. The only waiting is the kernel's own routing lock.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "dataplane/nexthop/netlink.h"
#include "lib/base/clock.h"
#include "lib/base/error.h"
#include "lib/net/address.h"

namespace maglb {

enum class NextHopKind : uint8_t {
  kRouted,  // through a gateway or on-link (ipip)
  kDirect,  // on-link only: the frame itself has to reach the backend (l2)
};

struct NextHopState {
  bool resolved = false;
  MacAddress mac;      // when resolved
  int ifindex = 0;     // when resolved
  std::string reason;  // when not: "no route", "neighbour 10.0.0.1 does not answer", ...

  friend bool operator==(const NextHopState&, const NextHopState&) = default;
};

struct NextHopCounters {
  uint64_t route_queries = 0;
  uint64_t neighbour_requests = 0;        // look for it, or verify it
  uint64_t neighbour_request_errors = 0;  // the kernel refused the request
  uint64_t resyncs = 0;                   // changes were lost, everything was asked again
  uint64_t malformed = 0;                 // messages not understood
};

struct NextHopOptions {
  uint32_t capacity = 65536;  // next hops at most
  int event_buffer_bytes = 4 * 1024 * 1024;
};

class NextHopMonitor {
 public:
  // Must not call back into the monitor.
  using Observer = std::function<void(uint32_t index, const NextHopState& state)>;

  static Result<NextHopMonitor> create(Observer observer, const NextHopOptions& options = {});

  // The index of the next hop for this address: the lowest free one if it is new, kConflict if there is
  // none. Each acquire() needs its release().
  Result<uint32_t> acquire(const IpAddress& address, NextHopKind kind);
  // Gives up one reference. After the last one the index is free and may be handed out again: release
  // only when no worker can still use it. REQUIRES: acquired.
  void release(uint32_t index);

  // Takes in what happened, asks what has to be asked, reports. Call it every few milliseconds, or when
  // event_fd() is readable and at least ten times a second. REQUIRES: now never goes back.
  void poll_once(Time now);

  // Becomes readable when the kernel has changes to tell.
  int event_fd() const { return events_.fd(); }

  // As last reported; unresolved before. REQUIRES: acquired.
  NextHopState state(uint32_t index) const;
  // Of every acquired next hop what state() says.
  void for_each(const Observer& observer) const;
  // How often everything was asked for again because of changes. Who remembers indexes of interfaces looks
  // them up again when it grows.
  uint64_t rounds() const { return rounds_; }
  const NextHopCounters& counters() const { return counters_; }

 private:
  struct NextHopKey {
    IpAddress address;
    NextHopKind kind;
    friend auto operator<=>(const NextHopKey&, const NextHopKey&) = default;
  };
  struct NeighbourKey {
    int ifindex = 0;
    IpAddress address;
    friend auto operator<=>(const NeighbourKey&, const NeighbourKey&) = default;
  };
  struct Neighbour {
    std::vector<uint32_t> users;    // indexes of the next hops that go through it
    uint16_t state = 0;             // NUD_*; 0: the kernel has no entry
    std::optional<MacAddress> mac;  // the last one known
    bool failed = false;            // FAILED was its last word
    bool failed_in_batch = false;   // and that was in the events being read
    uint32_t attempts = 0;          // requests since it was last usable
    Time next_request{};
    std::string request_error;
  };
  struct NextHop {
    NextHopKey key{};
    uint32_t references = 0;
    bool route_wanted = false;              // is in wanted_routes_
    std::optional<NeighbourKey> neighbour;  // what the route led to
    size_t place = 0;                       // among its users
    std::string problem = "not asked for yet";
    std::optional<NextHopState> reported;
  };
  using Neighbours = std::map<NeighbourKey, Neighbour>;

  NextHopMonitor(Observer observer, const NextHopOptions& options, NetlinkSocket events,
                 NetlinkSocket questions);

  void take_event(const NetlinkEvent& event, Time now);
  void take_neighbour(Neighbour& neighbour, const NeighbourEntry& entry, Time now);
  void take_deletion(Neighbour& neighbour, Time now);
  void want_route(uint32_t index);
  void want_all_routes();
  void ask_wanted_routes(Time now);
  void ask_route(uint32_t index, Time now);
  void set_neighbour(uint32_t index, const std::optional<NeighbourKey>& key, Time now);
  void ask_neighbour(const NeighbourKey& key, Neighbour& neighbour, Time now);
  void request_due_neighbours(Time now);
  void request(const NeighbourKey& key, Neighbour& neighbour, Time now);
  void schedule(Neighbour& neighbour, Time now);
  // The address that frames are sent to; nothing: they cannot be.
  static std::optional<MacAddress> usable_mac(const Neighbour& neighbour);
  // `before`: what its usable_mac() was. Where that stays, nothing is to be reported.
  void touch_unless(const std::optional<MacAddress>& before, const Neighbour& neighbour);
  void touch(const Neighbour& neighbour);
  void report_touched();
  NextHopState state_of(const NextHop& hop) const;

  Observer observer_;
  NextHopOptions options_;
  NetlinkSocket events_;
  NetlinkSocket questions_;
  std::vector<NextHop> hops_;
  std::map<NextHopKey, uint32_t> by_key_;
  std::vector<uint32_t> free_;  // a heap, lowest first
  Neighbours neighbours_;
  std::vector<uint32_t> wanted_routes_;
  std::vector<uint32_t> touched_;
  std::vector<Neighbour*> failed_in_batch_;  // never outlives the reading of one batch
  bool routing_changed_ = false;
  uint64_t rounds_ = 0;
  bool neighbours_lost_ = false;
  Time next_route_round_{};
  Time next_request_round_{};
  Time next_recheck_{};
  NextHopCounters counters_;
};

}  // namespace maglb
