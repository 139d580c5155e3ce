// The fields of a probe as data: the key of each in the file, the types of probe that it has a meaning with,
// and how it is compared and copied. Reading, checking and writing a probe go over this list, so that a
// field is refused, inherited and written by one rule.
//
// send_hex and expect_hex are other ways to write send and expect, and are not in the list.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "lib/config/service/model.h"

namespace maglb {

// A set of probe types, a bit each.
using ProbeTypes = uint16_t;

constexpr ProbeTypes types_of(auto... types) {
  return static_cast<ProbeTypes>(((1u << static_cast<unsigned>(types)) | ...));
}

constexpr bool has_type(ProbeTypes types, ProbeType type) {
  return (types >> static_cast<unsigned>(type) & 1) != 0;
}

inline constexpr ProbeTypes kEveryProbe =
    types_of(ProbeType::kTcp, ProbeType::kHttp, ProbeType::kHttps, ProbeType::kHttp2, ProbeType::kGrpc,
             ProbeType::kDns, ProbeType::kUdp, ProbeType::kIcmp, ProbeType::kExec);
// Over TCP or UDP: they have a port, and can go through a tunnel.
inline constexpr ProbeTypes kProbesWithPort =
    types_of(ProbeType::kTcp, ProbeType::kHttp, ProbeType::kHttps, ProbeType::kHttp2, ProbeType::kGrpc,
             ProbeType::kDns, ProbeType::kUdp);
inline constexpr ProbeTypes kHttpProbes = types_of(ProbeType::kHttp, ProbeType::kHttps, ProbeType::kHttp2);

struct ProbeKey {
  std::string_view key;
  ProbeTypes types;
  bool (*differs)(const ProbeConfig& a, const ProbeConfig& b);
  void (*copy)(const ProbeConfig& from, ProbeConfig& to);
};

// All but `type`, in the order in which they are written.
std::span<const ProbeKey> probe_keys();
// The types that a key of a probe, send_hex and expect_hex too, has a meaning with.
ProbeTypes types_with(std::string_view key);

// A probe of the type, with nothing else said.
ProbeConfig default_probe(ProbeType type);
// A probe of the type that takes from `base` all fields that have a meaning with it.
ProbeConfig inherit_probe(const ProbeConfig& base, ProbeType type);

// Why a field has no place in a probe of the type: "has a meaning with type http or https only".
std::string no_meaning(ProbeTypes types, ProbeType type);

}  // namespace maglb
