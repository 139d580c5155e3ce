// Between the forwarding state and its messages. What arrives is hostile until from_message() has
// returned it: every length, number range, enum, name and index is checked here; what needs the
// running state to judge (does a service's pool exist?) is left to the dataplane's registry.
#pragma once

#include "lib/base/error.h"
#include "lib/ipc/messages.h"
#include "lib/net/address.h"
#include "lib/snapshot/view/forwarding_state.h"

namespace maglb {

inline constexpr int kMaxPools = 65536;
inline constexpr int kMaxServices = 65536;

// A flow as an operator asks for it.
struct FlowQuery {
  Protocol protocol = Protocol::kTcp;  // not kAny
  IpAddress source;
  IpAddress destination;
  uint16_t source_port = 0;
  uint16_t destination_port = 0;
};

// A packet of such a flow.
struct ExplainQuery {
  FlowQuery flow;
  uint8_t tcp_flags = 0;  // 0: ACK
  uint16_t bytes = 0;     // of the IP packet; 0: just its headers
  bool may_fragment = false;
};

void to_message(const Change& change, ipc::Apply& message);
void to_message(const FlowQuery& query, ipc::FlowLookup& message);
void to_message(const ExplainQuery& query, ipc::Explain& message);

// A Change that keeps: generation > 0 and not its base; every pool and service is valid by itself
// (snapshot/view/validate.h); no pool, service or (address, protocol, port) occurs twice; no pool is both
// given and removed, none is removed from a whole state; every weight is in 0..10000. Otherwise kInvalid and
// where: "pool web: backend 3: ...".
Result<Change> from_message(const ipc::Apply& message);
Result<FlowQuery> from_message(const ipc::FlowLookup& message);
Result<ExplainQuery> from_message(const ipc::Explain& message);

}  // namespace maglb
