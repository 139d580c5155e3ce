// Sequence numbers of a TCP session whose backend reads a PROXY protocol v2 header of `n` bytes first. The
// connection is not split: the header lies in front of the client's first byte, and every later byte has
// a number that is higher by n on the backend's side.
//
//   client's side    ISN | ISN+1 ...............
//   backend's side   ISN | header | ISN+1+n ....
//
// Invariants:
//   1. A byte of the client's stream has one number on the backend's side, ever: its own plus n. So has a
//      byte of the header. Whatever is lost, repeated or reordered, the backend's stream is header and
//      client's bytes.
//   2. A segment that begins at ISN+1 brings the header until the backend has acknowledged all of it, whether
//      it has data, FIN or RST or is a mere ACK. As the client repeats what is not acknowledged, so is the
//      header repeated; where the client has nothing to repeat, the backend repeats its SYN and the client's
//      answer brings the header.
//   3. The client is never told of bytes it has not sent: an acknowledgement inside the header is one of
//   ISN+1.
//
// Numbers wrap around. While the header is not acknowledged, and until kNatPastStart, the stream is less than
// 2^31 bytes long for certain, so what is in front of ISN+1 can be told; later nothing is compared with it.
//
// With header_length 0 every function is the identity.
#pragma once

#include <cstdint>

#include "lib/flow/nat_session.h"
#include "lib/net/proxy_v2.h"

namespace maglb {

// What the header says; header_length is its length().
inline ProxyV2Endpoints proxy_endpoints(const NatSession& session) {
  return {session.client, session.service, session.client_port, session.service_port};
}

inline int32_t from_stream_begin(const NatSession& session, uint32_t number) {
  return static_cast<int32_t>(number - (session.client_isn + 1));
}

// Whether the client's segment takes the header along. Never one with SYN.
inline bool carries_header(const NatSession& session, uint32_t sequence) {
  return session.header_length != 0 && !session.has(kNatHeaderAcked) &&
         from_stream_begin(session, sequence) == 0;
}

// The number of a client's segment without SYN on the backend's side; of the header, if it carries that.
// What lies in front of the stream (a keepalive of a client that has sent nothing) stays in front of it.
inline uint32_t sequence_to_backend(const NatSession& session, uint32_t sequence) {
  const bool stays = !session.has(kNatHeaderAcked) && from_stream_begin(session, sequence) <= 0;
  return stays ? sequence : sequence + session.header_length;
}

// A number that the backend acknowledges, on the client's side.
inline uint32_t acknowledgement_to_client(const NatSession& session, uint32_t number) {
  if (!session.has(kNatPastStart)) {
    const int32_t distance = from_stream_begin(session, number);
    if (distance <= 0) {
      return number;
    }
    if (distance < session.header_length) {
      return session.client_isn + 1;
    }
  }
  return number - session.header_length;
}

// Remembers what the backend has acknowledged. REQUIRES: a segment of the backend with ACK.
inline void note_acknowledgement(NatSession& session, uint32_t number) {
  constexpr int32_t kFarFromBegin = 1 << 28;
  if (session.has(kNatPastStart)) {
    return;
  }
  const int32_t distance = from_stream_begin(session, number);
  if (distance >= session.header_length) {
    session.set(kNatHeaderAcked);
  }
  if (distance >= kFarFromBegin) {
    session.set(kNatPastStart);
  }
}

}  // namespace maglb
