// One translated flow: who its client is, where it goes, and the address and port it goes from.
//
//   client --(client -> service)--> maglb --(nat -> backend)--> backend, and replies back the same way.
//
// Layout: 128 bytes, two lines. The first is what a packet is looked up by and translated with; the second
// what its state is kept in. Links are slots (nat_table.h), kNoSlot where there is none.
//
// Threads: plain values of the worker that owns the session's port.
#pragma once

#include <cstdint>

#include "lib/base/coarse_clock.h"
#include "lib/flow/flow_entry.h"
#include "lib/net/address.h"
#include "lib/net/backend_id.h"
#include "lib/net/flow_key.h"

namespace maglb {

// kOpening: nothing says yet that the client is there. A TCP session is established once the client has
// acknowledged the backend's SYN, a UDP session once the backend has answered. kClosing: a FIN from both
// sides, or a reset. kQuarantine: nobody's, but its port is not given away yet.
enum class NatState : uint8_t { kFree = 0, kOpening, kEstablished, kClosing, kQuarantine };

// What is known of a TCP session, in bits.
enum NatFlag : uint8_t {
  kNatClientFin = 1,    // the client has sent its FIN
  kNatBackendFin = 2,   // the backend has sent its FIN
  kNatBackendSyn = 4,   // the backend has answered the SYN: backend_isn is set
  kNatHeaderAcked = 8,  // the backend has acknowledged the whole PROXY header
  kNatPastStart = 16,   // so far into the client's stream that its begin cannot be meant any more
  kNatClientSyn = 32,   // the client has sent its SYN
  kNatRefused = 64,     // somebody said no while it was opening, and that was counted
};

struct alignas(64) NatSession {
  static constexpr uint32_t kNoSlot = 0xffffffff;

  IpAddress client;
  IpAddress service;
  IpAddress nat;
  IpAddress backend;

  Be16 client_port;
  Be16 service_port;
  Be16 nat_port;
  Be16 backend_port;
  uint32_t service_id = 0;
  BackendId backend_id;
  Deadline expires;
  uint8_t nat_index = 0;  // of the nat address in NatPorts
  Protocol protocol = Protocol::kAny;
  NatState state = NatState::kFree;
  uint8_t flags = 0;  // NatFlag

  // Where the client's packets come from, so where its replies go. Set by whoever sees them.
  MacAddress client_mac;
  uint8_t client_link = 0;
  uint8_t header_length = 0;  // of the PROXY header in front of the client's stream; 0: none (nat_stream.h)

  uint32_t client_isn = 0;
  uint32_t backend_isn = 0;
  uint32_t client_next = 0;   // what the backend has acknowledged, as the client counts
  uint32_t backend_next = 0;  // what the client has acknowledged

  uint32_t place = 0;  // of the client's flow: which chain of the table it is in
  uint32_t chain_next = kNoSlot;
  uint32_t older = kNoSlot;  // opening sessions of the same address and protocol
  uint32_t newer = kNoSlot;

  bool is_tcp() const { return protocol == Protocol::kTcp; }
  bool has(NatFlag flag) const { return (flags & flag) != 0; }
  void set(NatFlag flag) { flags = static_cast<uint8_t>(flags | flag); }
  // Whether packets belong to it, unless it has expired.
  bool is_live() const { return state != NatState::kFree && state != NatState::kQuarantine; }
  // As the client sends.
  FlowKey client_flow() const { return {client, service, client_port, service_port, protocol}; }
  // Whether it is the session of the client's flow `key` to that service.
  bool is_of(const FlowKey& key, uint32_t id) const {
    return client == key.source && service == key.destination && client_port == key.source_port &&
           service_port == key.destination_port && protocol == key.protocol && service_id == id;
  }
  // Whether a packet with these ends comes from its backend.
  bool is_reply(const FlowKey& key) const { return backend == key.source && backend_port == key.source_port; }
};
static_assert(sizeof(NatSession) == 128);

// The state of flows whose timeout a live session goes by. That of a session of UDP is one, answered or not.
inline FlowState flow_state_of(const NatSession& session) {
  if (!session.is_tcp()) {
    return FlowState::kUdp;
  }
  switch (session.state) {
    case NatState::kOpening:
      return FlowState::kOpening;
    case NatState::kEstablished:
      return FlowState::kEstablished;
    default:
      return FlowState::kClosing;
  }
}

}  // namespace maglb
