// The identity of a flow: 64 bits of SipHash-2-4 over the 5-tuple and the service's id, under a key
// that is random for each process and the same for all its workers.
//
// The argument: the table compares whole digests, nothing else. Nobody outside knows the key, so no
// one can choose two tuples that collide or fill one bucket; collisions happen by chance only. With
// F flows tracked, a new flow has the digest of another with probability F / 2^64: at 100 million
// flows and a million new flows a second, one collision is expected every 2,100 days. Its effect is
// that one flow is sent where another goes.
//
// The service's id is part of it, so that a service's entries die with the service: one of the same
// name that comes later has another id.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>

#include "lib/base/siphash.h"
#include "lib/net/flow_key.h"

namespace maglb {

class FlowDigest {
 public:
  FlowDigest() = default;
  // 0 marks an empty place in the table, so a digest is never 0.
  explicit FlowDigest(uint64_t value) : value_(value == 0 ? 1 : value) {}

  static FlowDigest of(const SipKey& key, const FlowKey& flow, uint32_t service_id) {
    uint8_t message[sizeof(FlowKey) + 4];
    std::memcpy(message, &flow, sizeof flow);
    std::memcpy(message + sizeof flow, &service_id, 4);
    return FlowDigest(siphash24(key, message));
  }

  uint64_t value() const { return value_; }
  friend constexpr bool operator==(const FlowDigest&, const FlowDigest&) = default;

 private:
  uint64_t value_ = 1;
};

}  // namespace maglb
