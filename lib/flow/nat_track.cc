#include "lib/flow/nat_track.h"

#include "lib/flow/nat_stream.h"
#include "lib/net/wire.h"

namespace maglb {
namespace {

// Forward by less than half of all numbers, or not at all.
void advance(uint32_t& next, uint32_t acknowledged) {
  if (static_cast<int32_t>(acknowledged - next) > 0) {
    next = acknowledged;
  }
}

bool is_plausible_reset(uint32_t sequence, uint32_t next) {
  constexpr uint32_t kMostInFlight = 1u << 20;
  return sequence - next < kMostInFlight;
}

// `next`: what the receiver has acknowledged.
void reset(NatTable& table, NatSession& session, uint32_t sequence, uint32_t next, Time now) {
  if (session.state == NatState::kOpening ||
      (session.state == NatState::kEstablished && is_plausible_reset(sequence, next))) {
    table.close(session, table.quarantine(), now);
  }
}

// A packet that is neither SYN nor reset. `fin`: whose FIN it has, if it has one.
void go_on(NatTable& table, NatSession& session, uint8_t tcp_flags, NatFlag fin, const NatTimeouts& timeouts,
           Time now) {
  if (session.state == NatState::kClosing) {
    return;
  }
  if ((tcp_flags & kTcpFin) != 0) {
    session.set(fin);
  }
  if (session.has(kNatClientFin) && session.has(kNatBackendFin)) {
    return table.close(session, timeouts.closing, now);
  }
  const bool opening = session.state == NatState::kOpening;
  table.renew(session, opening ? timeouts.opening : timeouts.established, now);
}

// The client may begin again with another number while no backend has answered.
void client_begins(NatTable& table, NatSession& session, uint32_t isn, const NatTimeouts& timeouts,
                   Time now) {
  if (session.has(kNatClientSyn)) {
    table.repeat(session);
  }
  session.set(kNatClientSyn);
  if (session.state == NatState::kOpening && !session.has(kNatBackendSyn)) {
    session.client_isn = isn;
    session.client_next = isn + 1;
    table.renew(session, timeouts.opening, now);
  }
}

void backend_begins(NatTable& table, NatSession& session, const TcpFacts& facts, const NatTimeouts& timeouts,
                    Time now) {
  if (session.state == NatState::kOpening && (facts.flags & kTcpAck) != 0 &&
      facts.acknowledgement == session.client_isn + 1) {
    session.backend_isn = facts.sequence;
    session.backend_next = facts.sequence + 1;
    session.set(kNatBackendSyn);
    table.renew(session, timeouts.opening, now);
  }
}

void note_client_acknowledgement(NatTable& table, NatSession& session, uint32_t acknowledged) {
  constexpr uint32_t kFirstWindow = 1u << 16;
  if (!session.has(kNatBackendSyn)) {
    return;
  }
  if (session.state == NatState::kEstablished) {
    advance(session.backend_next, acknowledged);
  } else if (session.state == NatState::kOpening && acknowledged - (session.backend_isn + 1) < kFirstWindow) {
    session.backend_next = acknowledged;
    table.establish(session);
  }
}

}  // namespace

void track_client(NatTable& table, NatSession& session, const TcpFacts& facts, const NatTimeouts& timeouts,
                  Time now) {
  if (!session.is_tcp()) {
    return table.renew(session, timeouts.udp, now);
  }
  if ((facts.flags & kTcpRst) != 0) {
    return reset(table, session, facts.sequence, session.client_next, now);
  }
  if ((facts.flags & kTcpSyn) != 0) {
    return client_begins(table, session, facts.sequence, timeouts, now);
  }
  if ((facts.flags & kTcpAck) != 0) {
    note_client_acknowledgement(table, session, facts.acknowledgement);
  }
  go_on(table, session, facts.flags, kNatClientFin, timeouts, now);
}

void track_backend(NatTable& table, NatSession& session, const TcpFacts& facts, const NatTimeouts& timeouts,
                   Time now) {
  if (!session.is_tcp()) {
    table.establish(session);
    return table.renew(session, timeouts.udp, now);
  }
  if ((facts.flags & kTcpSyn) != 0) {
    return backend_begins(table, session, facts, timeouts, now);
  }
  if ((facts.flags & kTcpRst) != 0) {
    table.refuse(session);
    return reset(table, session, facts.sequence, session.backend_next, now);
  }
  if ((facts.flags & kTcpAck) != 0) {
    note_acknowledgement(session, facts.acknowledgement);
    advance(session.client_next, acknowledgement_to_client(session, facts.acknowledgement));
  }
  go_on(table, session, facts.flags, kNatBackendFin, timeouts, now);
}

}  // namespace maglb
