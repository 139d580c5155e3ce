// What the packet path does with one packet, and why. The path itself runs, on a copy of the packet, with a
// flow table of its own that holds what the workers' tables know of the flow; so what is said is what a
// worker does, but for what only that worker has: its budgets, its nat sessions, its fragments.
//
// Invariants:
//   1. Nothing of the workers' changes, and no packet is sent.
//   2. `packet` is what the worker that has the flow's entry does with the packet; without an entry, any
//      worker. `new_flow` is what becomes of the first packet of a flow with the same ends.
//   3. With the same snapshot and tables the answer is the same, but for schedulers that take turns or draw:
//      there `new_flow` is one of the backends that it may be.
//
// Threads: one at a time, any but a worker's; the tables are read as the workers write them.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "lib/flow/flow_entry.h"
#include "lib/flow/nat_ports.h"
#include "lib/lb/batch.h"
#include "lib/lb/schedule.h"
#include "lib/lb/worker_context.h"

namespace maglb {

// What the workers read. All of it is borrowed.
struct ExplainSources {
  const Snapshot& snapshot;
  std::span<const FlowTable* const> tables;  // by worker
  const NextHopTable& next_hops;
  std::span<const PortView> ports;  // links; at least one
  SipKey flow_key;
  TunnelSource tunnel_source_v4;
  TunnelSource tunnel_source_v6;
  PathFunction path;
  const NatPorts* nat_ports;                     // null: no nat_source
  std::span<const BackendFlows* const> flows{};  // by worker: what they have; none: nothing is counted
};

// Where one packet goes.
struct PacketFate {
  Verdict verdict = Verdict::kPending;  // never kPending when explained
  std::optional<DropReason> reason;     // of kDrop
  std::optional<uint16_t> place;        // its backend's, in its pool
  bool is_answered = false;             // kSend: by us, to its sender: an ICMP error, an echo reply
  bool is_fragmented = false;           // kSend: leaves in pieces
  std::vector<uint8_t> frame;           // kSend: as it leaves; the first piece
};

struct Explanation {
  // Where the packet goes from where it came in.
  PacketFate packet;
  // What it was read as; nothing else is set where `is_parsed` is false.
  bool is_parsed = false;
  ParsedFrame parsed;

  // Null: none matches. Of the snapshot, as is the rest.
  const ServiceView* service = nullptr;
  const PoolView* pool = nullptr;

  // The entry of the flow, the youngest where several workers have one.
  struct Known {
    uint32_t worker = 0;
    FlowEntry entry;
    Duration idle{};
    Duration expires_in{};
  };
  std::optional<Known> flow;

  // By the pool's table alone. `table_place`: kNoBackend where nobody serves.
  uint32_t slot = 0;
  uint32_t table_size = 0;
  uint16_t table_place = 0;

  // The way to packet.place; nothing when it has none, and why.
  struct Way {
    uint8_t link = 0;
    MacAddress next_hop;
    uint16_t overhead = 0;  // bytes that the encapsulation adds
    uint16_t mtu = 0;       // of the link
    uint16_t largest = 0;   // IP packet of a client that passes whole
  };
  std::optional<Way> way;
  std::optional<DropReason> no_way;

  // Of a packet that opens a flow with these ends, without an entry: a SYN, a datagram. Nothing for what is
  // no flow of a service.
  std::optional<PacketFate> new_flow;
};

class Explainer {
 public:
  // As many services and backends as have counters.
  Explainer(size_t services_limit, size_t pools_limit, size_t backends_limit, const SipKey& flow_key)
      : counters_(services_limit, backends_limit),
        scheduling_(0, 1, flow_key, pools_limit, backends_limit, std::pmr::get_default_resource()) {}

  // Of a frame that came by port `in_port`. REQUIRES: at most kLargestFrame bytes; `now` of the workers'
  // clock.
  Explanation explain(std::span<const uint8_t> frame, uint8_t in_port, const ExplainSources& sources,
                      Time now);

 private:
  void know_flows(const PoolView& pool, const ExplainSources& sources);

  WorkerCounters counters_;  // what the trials count; only changes are looked at
  Scheduling scheduling_;    // of the trials: all flows are others'
};

}  // namespace maglb
