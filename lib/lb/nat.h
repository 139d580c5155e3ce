// The path of nat services, apart from that of all others: a client's packet goes to its backend from an
// address and port of ours, the backend's replies come back to us, and go to the client from the service's
// address. What is known of a flow is its session (lib/flow/nat_session.h), of the worker that owns the
// session's port:
//
//   client's packet   on any worker: its own table has the session, or opens one for a SYN or a datagram
//   backend's reply   to the worker that owns the port: who receives another's hands it over
//
// A client's packets so have to come to one worker, as a card that spreads flows over its queues sees to:
// those of TCP that come to another find no session there, and are dropped. So are ICMP errors from the
// client's side that come to another (the network's MTU towards the client is better told by `mss`).
//
// By the state of a session's backend:
//   up, drain                   the session goes on
//   unhealthy, down, removed    UDP, and a SYN: another session, with another backend. Else the session ends,
//                               unless the service keeps flows
//
// A packet that is too big for its way is answered as everywhere if it may not be fragmented, and dropped if
// it may. A TTL that ends here is not answered. Fragments are not translated.
//
// Counted are what clients send: packets, bytes and flows of service and backend. Replies are in the
// worker's `received` and `sent` alone.
//
// Threads: of the worker.
#pragma once

#include <cstddef>

#include "lib/base/clock.h"
#include "lib/flow/nat_table.h"
#include "lib/lb/batch.h"
#include "lib/lb/worker_context.h"

namespace maglb {

// Of the ports that a table chooses, made of the flows' key, and as good as another one.
SipKey nat_port_key(const SipKey& flow_key);

// Decides a client's packet. REQUIRES: it parsed as kFlow, and its notes name service and pool.
void nat_to_backend(Batch& batch, size_t i, const Snapshot& snapshot, WorkerContext& worker, Time now);

// Decides a packet to an address and port that nat sends from, a reply; false: it is to none of them.
// REQUIRES: it parsed as kFlow.
bool take_nat_reply(Batch& batch, size_t i, const Snapshot& snapshot, WorkerContext& worker, Time now);

// Decides an ICMP error about a packet that nat has sent to a backend; false: it is about another.
// REQUIRES: it parsed as kIcmpError.
bool take_nat_error(Batch& batch, size_t i, const Snapshot& snapshot, WorkerContext& worker, Time now);

// Decides an ICMP error about a packet that nat has sent to a client. REQUIRES: it parsed as kIcmpError; its
// notes name service, pool and digest, of the flow that it is about.
void nat_error_to_backend(Batch& batch, size_t i, const Snapshot& snapshot, WorkerContext& worker, Time now);

// The sweep's next slice; true: it ended a pass. Sessions of a backend that is gone end with it, as
// entry_may_stay() says of flows. REQUIRES: worker.nat.
bool sweep_nat(WorkerContext& worker, size_t slots, const Snapshot& snapshot, Time now);

}  // namespace maglb
