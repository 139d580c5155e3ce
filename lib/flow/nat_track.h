// What a packet does to its NAT session: state, deadline, and what is known of its sequence numbers.
//
//   opening -> established   TCP: the client acknowledges the backend's SYN, within the 64 KiB that can be on
//                            their way by then: who cannot see the SYN guesses with 1 in 65,536.
//                            UDP: the backend answers.
//   any -> closing           a reset: kept for the table's quarantine. The second side's FIN: kept for the
//                            service's closing timeout.
//   A session that is closing stays so, whatever comes, until its time is up.
//
// A reset counts only if its number can be one that its receiver takes (RFC 5961 3): not in front of what the
// receiver has acknowledged, and less than 1 MiB behind. Who only knows addresses and ports ends a session
// with 1 of 4,096 resets, and not with one. While a session is opening any reset counts.
//
// Threads: of the table's owner.
#pragma once

#include "lib/flow/nat_table.h"
#include "lib/net/wire.h"

namespace maglb {

// A service's, at most Deadline::kLongest each.
struct NatTimeouts {
  Duration opening = std::chrono::seconds(10);
  Duration established = std::chrono::minutes(15);
  Duration closing = std::chrono::seconds(30);
  Duration udp = std::chrono::minutes(1);
};

// Of the packet as it came. UDP: all zero.
struct TcpFacts {
  uint8_t flags = 0;
  uint32_t sequence = 0;
  uint32_t acknowledgement = 0;
};

// Whether the client's packet opens its flow again while the old session is closing: that is to be erased,
// and another one opened, with another port.
inline bool begins_anew(const NatSession& session, const TcpFacts& facts) {
  return session.is_tcp() && session.state == NatState::kClosing &&
         (facts.flags & (kTcpSyn | kTcpAck | kTcpRst)) == kTcpSyn;
}

// Called for every packet of a live session, also the first, before it is translated (nat_stream.h goes by
// what is noted here).
void track_client(NatTable& table, NatSession& session, const TcpFacts& facts, const NatTimeouts& timeouts,
                  Time now);
void track_backend(NatTable& table, NatSession& session, const TcpFacts& facts, const NatTimeouts& timeouts,
                   Time now);

}  // namespace maglb
