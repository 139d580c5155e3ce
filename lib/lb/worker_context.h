// What one worker brings to the path beside the packets and the snapshot: its flow table, its
// counters, its budgets, and views of what is shared.
//
// Threads: one worker each. `tables` are the tables of all workers, read only but for the own one.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <span>

#include "lib/base/clock.h"
#include "lib/base/isa.h"
#include "lib/base/siphash.h"
#include "lib/base/token_bucket.h"
#include "lib/flow/flow_table.h"
#include "lib/lb/counters.h"
#include "lib/lb/next_hop_table.h"
#include "lib/lb/source_budget.h"
#include "lib/net/address.h"

namespace maglb {

struct PortView {
  MacAddress mac;
  uint16_t mtu = 1500;  // of IP packets, without Ethernet: 68 (RFC 791) .. 65521
  // Takes frames to any host's MAC, and answers from the one they were sent to (replay).
  bool any_mac = false;

  // The MAC address in the low 48 bits, as MacAddress::word(), and something else above.
  uint64_t word() const { return load_le64(this); }
};
static_assert(offsetof(PortView, mac) == 0 && sizeof(PortView) >= 8);

struct Batch;
struct WorkerContext;
class Snapshot;

// The packet path in one set of instructions. REQUIRES of path_of(): the CPU has them.
using PathFunction = void (*)(Batch&, const Snapshot&, WorkerContext&, Time);
PathFunction path_of(Isa isa);

struct WorkerContext {
  FlowTable& flows;                          // the own one
  std::span<const FlowTable* const> tables;  // every worker's, the own one too
  WorkerCounters& counters;
  const NextHopTable& next_hops;
  std::span<const PortView> ports;
  SipKey flow_key;          // the same for all workers
  IpAddress tunnel_source;  // unspecified: none is configured, and ipip services drop
  IpAddress tunnel_source_v6{};
  PathFunction path = path_of(best_isa());
  std::pmr::memory_resource* memory = std::pmr::get_default_resource();  // of what it writes
  FlowHash flow_hash{flow_key};
  uint16_t next_ip_id = 0;  // of outer headers with DF clear
  // ICMP errors sent, and looks into other workers' tables: bounded, whatever arrives. Errors by whom
  // they go to, so that a flood of packets that are too big does not keep others from learning their MTU.
  SourceBudget icmp_budget{100, 50, memory};
  TokenBucket foreign_budget{200000, 8192};

  const IpAddress& own_source(bool v6) const { return v6 ? tunnel_source_v6 : tunnel_source; }
  bool has_tunnel_source(bool v6) const {
    return v6 ? !tunnel_source_v6.is_unspecified() : tunnel_source.is_v4();
  }
};

}  // namespace maglb
