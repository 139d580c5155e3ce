// What a DNS answer says about the question's name: its records of one type, found by way of its aliases, and
// how long they may be kept. Pure. RFC 1035 4.1, RFC 2782.
//
// The message is hostile: every length is checked before use, c-ares expands the names and bounds their
// pointers, and at most kMaxDnsRecords records are read.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "controlplane/discovery/member_source.h"
#include "lib/base/error.h"
#include "lib/net/address.h"

namespace maglb {

inline constexpr size_t kMaxDnsRecords = 32768;  // of one message
inline constexpr size_t kMaxSrvTargets = 1024;   // whose names are looked up, of one answer

enum class RecordType : uint16_t { kA = 1, kAaaa = 28, kSrv = 33 };

struct SrvTarget {
  uint16_t priority = 0;
  uint16_t weight = 0;
  uint16_t port = 0;
  std::string name;
};

struct DnsAnswer {
  std::vector<IpAddress> addresses;  // kA, kAaaa
  std::vector<SrvTarget> targets;    // kSrv
  std::chrono::seconds ttl{0};       // the least of the records and aliases that were used
};

// An answer without such a record is no error. REQUIRES of the caller: the message answers the question for
// `name`, with rcode 0.
Result<DnsAnswer> read_answer(std::span<const uint8_t> message, const std::string& name, RecordType type);

// Those of the lowest priority, with weights for backends: an SRV weight of 0 is 1, and if one is greater
// than kMaxWeight all are made smaller in proportion. A target "." says that there is no such service: left
// out.
struct WeightedName {
  std::string name;
  uint32_t weight = 1;
  friend bool operator==(const WeightedName&, const WeightedName&) = default;
};
std::vector<WeightedName> serving_targets(const std::vector<SrvTarget>& targets);

}  // namespace maglb
