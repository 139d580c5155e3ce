// A question to a DNS server and what its answer is worth. Pure; c-ares encodes the question and expands
// the names of the answer. RFC 1035 4.1.
//
// The answer is hostile: every length is checked before use, and at most kMaxDnsAnswers records are read.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "lib/base/error.h"
#include "lib/config/service/model.h"

namespace maglb {

inline constexpr uint32_t kMaxDnsAnswers = 1024;

// Recursion desired, one question, no EDNS. Fails with a name or type that cannot be asked for.
Result<std::vector<uint8_t>> dns_question(const ProbeDns& dns, uint16_t id);

struct DnsVerdict {
  enum class Kind : uint8_t { kNotOurs, kGood, kBad };
  Kind kind = Kind::kNotOurs;
  std::string reason;
};

// kNotOurs: no response to this question (another id, another name), so that over UDP the real one may
// still come. kGood: NOERROR, and `expect`, if any, is what one of the answers says: the address of an A
// or AAAA, the name in a CNAME, NS, MX, SRV or SOA (its first; case and a last dot make no difference),
// the joined text of a TXT.
DnsVerdict judge_dns(std::span<const uint8_t> message, const ProbeDns& dns, uint16_t id);

}  // namespace maglb
