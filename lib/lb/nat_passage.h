// What both directions of nat, and the errors about either, do with a frame: for nat.cc and nat_error.cc.
#pragma once

#include <optional>

#include "lib/flow/nat_track.h"
#include "lib/lb/batch.h"
#include "lib/lb/egress.h"
#include "lib/lb/nat_translate.h"
#include "lib/lb/worker_context.h"
#include "lib/snapshot/view/snapshot.h"

namespace maglb::nat_detail {

// Everything that a packet on its way through nat is done with.
struct Passage {
  Batch& batch;
  size_t i;
  const Snapshot& snapshot;
  WorkerContext& worker;
  Time now;

  Packet& frame() const { return batch.packets[i]; }
  Batch::Notes& notes() const { return batch.notes[i]; }
  const ParsedFrame& parsed() const { return notes().parsed; }
  const FlowKey& key() const { return parsed().key; }
};

// A session and the service that it is of.
struct KnownSession {
  NatSession* session = nullptr;  // null: there is none
  const ServiceView* service = nullptr;
};

// A packet to be translated, and the Ethernet header of its arrival, which IP may move over.
struct Arrival {
  NatPacket packet;
  EthernetHeader ethernet;
};

// All in front of the packet but for an Ethernet header is its headroom. Nothing, and dropped: its TTL ends
// here, or in a frame of several buffers not all that the translation looks at lies in the first.
std::optional<Arrival> arrival_of(const Passage& p);

// The session that sent to `backend` from the nat address and port `nat`; none if its service is gone.
KnownSession session_of_reply(const Passage& p, const FlowKey& reply);

// The session's backend while it may have the flow; null: it is gone.
const BackendView* backend_of(const NatSession& session, const PoolView& pool);

// The way back to the session's client; nothing, and dropped, if there is none.
std::optional<Egress> client_egress(const Passage& p, const NatSession& session, const ServiceView& service);
// And to its backend, which the notes name.
std::optional<Egress> backend_egress(const Passage& p);

// Sends what was translated, or drops it as `result` says.
void finish(const Passage& p, NatResult result, const Arrival& translated, const Egress& egress);

}  // namespace maglb::nat_detail
