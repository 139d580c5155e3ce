// What the packet path does with one packet, and why. The path itself runs, on a copy of the packet, with
// tables of its own that hold what the workers' know of the flow: its entry, or its nat session. So what is
// said is what a worker does, but for what only that worker has: its budgets, its fragments, which nat port
// is next.
//
// Invariants:
//   1. Nothing of the workers' changes, and no packet is sent.
//   2. `packet` is what the worker that has the flow's entry does with the packet; without an entry, any
//      worker. `new_flow` is what becomes of the first packet of a flow with the same ends.
//   3. With the same snapshot and tables the answer is the same, but for schedulers that take turns or draw:
//      there `new_flow` is one of the backends that it may be.
//
// Threads: one at a time, any but a worker's; the flow tables are read as the workers write them, of nat
// sessions each worker is asked (nat_enquiry.h).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "lib/flow/flow_entry.h"
#include "lib/flow/nat_enquiry.h"
#include "lib/flow/nat_ports.h"
#include "lib/lb/batch.h"
#include "lib/lb/schedule.h"
#include "lib/lb/worker_context.h"

namespace maglb {

// What a worker knows of a nat session; an error: it did not answer.
using AskNat = std::function<Result<NatAnswer>(uint32_t worker, const NatQuestion&)>;

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
  const NatPorts* nat_ports;                     // the workers'; null: no nat_source
  std::span<const BackendFlows* const> flows{};  // by worker: what they have; none: nothing is counted
  AskNat ask_nat{};                              // set where nat_ports are
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

  // The nat session that the packet belongs to. Of a packet from its backend, service and pool are those of
  // the session, and there is no slot.
  struct Session {
    uint32_t worker = 0;
    bool is_reply = false;
    NatSession known;
    Duration idle{};  // zero of one that closes: how long that takes depends on why
    Duration expires_in{};
  };
  std::optional<Session> session;
  // Whose nat session it would be, when that worker did not answer.
  std::optional<uint32_t> silent_worker;
  bool has_nat_port = true;  // that worker's, for a session that begins

  // By the pool's table alone. `table_place`: kNoBackend where nobody serves; `table_size`: 0 where no table
  // is asked.
  uint32_t slot = 0;
  uint32_t table_size = 0;
  uint16_t table_place = 0;

  // The way to packet.place, or to the client of `session`; nothing when it has none, and why.
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

// The part that nothing has to run for: what a packet with these ends matches, and what is known of its flow.
// Of the packet's own fields only `parsed.key` is set.
Explanation look_up_flow(const FlowKey& key, const ExplainSources& sources, Time now);

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
