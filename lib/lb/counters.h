// What a worker counts, and the equation that the counts satisfy:
//
//   received + originated = sent + to_kernel + sum of dropped by reason + held
//
// exact when the worker is at rest, within a burst otherwise.
//
// Threads: one writer, the worker; any thread may read. Relaxed loads and stores, never a
// read-modify-write.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory_resource>
#include <string_view>
#include <vector>

namespace maglb {

class Counter {
 public:
  void add(uint64_t n) {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  // Of a level.
  void set(uint64_t value) { value_.store(value, std::memory_order_relaxed); }
  uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

// Why a packet went nowhere. Each packet that is dropped has exactly one.
enum class DropReason : uint8_t {
  kTruncated,
  kBadIpHeader,
  kBadIpChecksum,
  kBadL4Header,
  kFragmentTimeout,
  kFragmentOverlap,
  kFragmentDuplicate,
  kFragmentLimit,
  kNatFragment,
  kSourceDenied,
  kEchoLimit,
  kBadEcho,
  kTinyFragment,
  kExtensionHeaders,
  kLoop,
  kNoBackend,
  kBackendsFull,
  kTunnelError,
  kNoTunnelSource,
  kNoNatSource,
  kNoNatPort,
  kNoSession,
  kTtlExceeded,
  kNoNextHop,
  kTooBig,
  kNoHeadroom,
  kNoBuffer,
  kMultiSegment,
  kNoKernelPath,
  kTxFull,
  kHandOverFull,
};
inline constexpr size_t kDropReasons = static_cast<size_t>(DropReason::kHandOverFull) + 1;

std::string_view name_of(DropReason reason);         // "too_big"
std::string_view explanation_of(DropReason reason);  // one line for people

// What else happened. These are beside the equation.
enum class Event : uint8_t {
  kFlowsCreated,              // entries made
  kFlowsRescheduled,          // entries that got another backend
  kFlowsAdopted,              // entries copied from another worker's table
  kFlowsNotStored,            // served by the table alone: no room
  kFlowsExpired,              // entries that the sweep erased
  kForeignLookups,            // looks into other workers' tables
  kForeignLookupsSuppressed,  // not done: over the rate
  kIcmpSuppressed,            // ICMP errors not sent: over the rate
  kIcmpErrorsForwarded,       // to the backend of the flow that they are about
  kTunnelErrors,              // ICMP errors about our own tunnels
  kTunnelErrorsTold,          // those of them that a client was told of
  kFragmented,                // packets that left in pieces
  kEchoesAnswered,            // pings to a service's address
  kQuicRouted,                // by a connection id that names a server
  kQuicByTable,               // of a service that routes by ids, without such an id
  kNatSessionsOpened,         // of nat, the replacing ones included
  kNatSessionsReplaced,       // opening ones that had to go for another
  kNatSessionsExpired,        // that the sweep ended
};
inline constexpr size_t kEvents = static_cast<size_t>(Event::kNatSessionsExpired) + 1;

std::string_view name_of(Event event);

// Two on a cache line, none across two: a packet touches one line for its service and one for its backend.
struct alignas(32) TrafficCounters {
  Counter packets;
  Counter bytes;  // of IP packets as received
  Counter new_flows;
  Counter refused;  // of a backend: packets that opened a flow and found it at its bound

  void count(uint32_t packet_bytes) {
    packets.add(1);
    bytes.add(packet_bytes);
  }
};
static_assert(sizeof(TrafficCounters) == 32);

struct alignas(64) WorkerCounters {
  // Indexed by ServiceView::counter and BackendView::counter.
  // `memory` gives whole cache lines where another thread writes the memory around them.
  WorkerCounters(size_t services_limit, size_t backends_limit,
                 std::pmr::memory_resource* memory = std::pmr::get_default_resource())
      : services(services_limit, memory), backends(backends_limit, memory) {}

  Counter received;
  Counter originated;
  Counter sent;
  Counter to_kernel;
  Counter held;  // a level: set by who holds packets back
  std::array<Counter, kDropReasons> dropped;
  std::array<Counter, kEvents> events;
  std::pmr::vector<TrafficCounters> services;
  std::pmr::vector<TrafficCounters> backends;

  void drop(DropReason reason, uint64_t packets = 1) { dropped[static_cast<size_t>(reason)].add(packets); }
  void count(Event event, uint64_t times = 1) { events[static_cast<size_t>(event)].add(times); }
};

}  // namespace maglb
