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
#include "lib/flow/nat_table.h"
#include "lib/lb/counters.h"
#include "lib/lb/extra_frames.h"
#include "lib/lb/next_hop_table.h"
#include "lib/lb/source_budget.h"
#include "lib/lb/tunnel_source.h"
#include "lib/net/address.h"

namespace maglb {

// A way in and out: a port, or the frames of a port that have certain VLAN tags. A worker's links are its
// ports, by their index, and the VLANs of all ports behind them.
struct PortView {
  MacAddress mac;
  uint16_t mtu = 1500;  // of IP packets, without Ethernet and tags: 68 (RFC 791) .. 65521
  // Takes frames to any host's MAC, and answers from the one they were sent to (replay).
  bool any_mac = false;
  uint8_t port = 0;         // of a VLAN: index of its port
  uint16_t vlan_outer = 0;  // id of the first of two tags (802.1ad); 0: there is at most one
  uint16_t vlan_inner = 0;  // id of the tag next to the packet; 0: untagged

  // Packets up to this go out by the shortest way: none, where they are tagged.
  uint16_t plain_mtu() const { return vlan_inner == 0 ? mtu : uint16_t{0}; }
  // The MAC address in the low 48 bits, as MacAddress::word(), and something else above.
  uint64_t word() const { return load_le64(this); }
};
static_assert(offsetof(PortView, mac) == 0 && sizeof(PortView) >= 8);

struct Batch;
class FragmentTable;
struct WorkerContext;
class Scheduling;
class Snapshot;

// The packet path in one set of instructions. REQUIRES of path_of(): the CPU has them.
using PathFunction = void (*)(Batch&, const Snapshot&, WorkerContext&, Time);
PathFunction path_of(Isa isa);

// A worker's number is a byte (Batch::targets).
inline constexpr uint32_t kMostWorkers = 256;

struct WorkerContext {
  FlowTable& flows;                          // the own one
  std::span<const FlowTable* const> tables;  // every worker's, the own one too
  WorkerCounters& counters;
  const NextHopTable& next_hops;
  std::span<const PortView> ports;
  SipKey flow_key;             // the same for all workers
  TunnelSource tunnel_source;  // without one of the backend's family tunnels drop
  TunnelSource tunnel_source_v6{};
  PathFunction path = path_of(best_isa());
  std::pmr::memory_resource* memory = std::pmr::get_default_resource();  // of what it writes
  uint32_t number = 0;                                                   // of this worker
  uint32_t workers = 1;  // how many there are: kMostWorkers at most
  // Of `flow_key`. Null: fragments of services are dropped.
  FragmentTable* fragments = nullptr;
  FlowHash flow_hash{flow_key};
  uint16_t next_ip_id = 0;  // of outer headers with DF clear
  uint32_t fragmented = 0;  // outer IPv6 packets so far
  // ICMP errors sent, and looks into other workers' tables: bounded, whatever arrives. Errors by whom
  // they go to, so that a flood of packets that are too big does not keep others from learning their MTU.
  SourceBudget icmp_budget{100, 50, memory};
  SourceBudget echo_budget{1000, 500, memory};  // pings answered
  TokenBucket foreign_budget{200000, 8192};
  ExtraFrames extra{};      // without buffers until the caller gives some
  NatTable* nat = nullptr;  // the own one; null: no nat_source
  // What the pools' schedulers know, and where flows are counted (schedule.h). Null: every pool goes by its
  // table, and nothing is bounded.
  Scheduling* scheduling = nullptr;

  const TunnelSource& own_source(bool v6) const { return v6 ? tunnel_source_v6 : tunnel_source; }
};

}  // namespace maglb
