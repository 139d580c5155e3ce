// The path of nat services, apart from that of all others: a client's packet goes to its backend from an
// address and port of ours, the backend's replies come back to us, and go to the client from the service's
// address. What is known of a flow is its session (lib/flow/nat_session.h), of the worker that owns the
// session's port:
//
//   client's packet   to the worker that the flow's digest names, whose table has the session, or opens one
//                     for a SYN or a datagram
//   error about it    from the client's side: to the same worker
//   backend's reply   to the worker that owns the port
//
// Who receives another's hands it over: no session hangs on a card that always spreads alike, and the ICMP
// errors of routers come by any queue. With several workers most packets so cross from one to another, which
// is what a table that all may write would cost as well.
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

// The worker that has the session of a client's flow. The low half of `identity` is not looked at elsewhere
// for where something lies.
inline uint32_t nat_worker_of(const FlowDigest& digest, uint32_t workers) {
  return static_cast<uint32_t>(((digest.identity & 0xffffffff) * workers) >> 32);
}

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
