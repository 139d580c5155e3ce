// Tunnel decapsulation on a real server (IPIP, GRE, GUE): attaching, detaching and looking at the program of
// decap.bpf.c.
//
// Nothing is pinned and nothing keeps running: the program lives as long as it is attached, and a later
// process finds it by interface and name. Attaching again replaces ours in one step, with new prefixes
// and counters from zero. Someone else's program is never touched.
//
// All calls concern the calling thread's network namespace.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/base/error.h"
#include "lib/net/prefix.h"

namespace maglb {

// What is accepted as a tunnel packet for this server.
struct DecapRules {
  static constexpr uint16_t kGuePort = 6080;  // IANA's

  std::vector<IpPrefix> from;       // outer sources, of both families
  std::optional<uint32_t> gre_key;  // GRE with this key only; without it, with any or none
  uint16_t gue_port = kGuePort;     // UDP destination; 0: no GUE

  friend bool operator==(const DecapRules&, const DecapRules&) = default;
};

enum class DecapMode : uint8_t {
  kAuto,  // XDP in the driver, else TC
  kXdp,   // XDP in the driver, else generic XDP
  kTc,
};

enum class DecapPlace : uint8_t { kXdpNative, kXdpGeneric, kTc };

std::string_view to_string(DecapPlace place);

struct DecapStatus {
  std::string interface;
  DecapPlace place = DecapPlace::kXdpNative;
  uint32_t program_id = 0;
  DecapRules rules;
  // What became of tunnel packets: name, count.
  std::vector<std::pair<std::string_view, uint64_t>> counters;
};

// REQUIRES: rules.from is not empty. Kind kConflict when someone else's program is in the place, or when
// the interface alone forwards IPv6 (force_forwarding).
Result<DecapPlace> attach_decap(const std::string& interface, const DecapRules& rules, DecapMode mode);

// Kind kNotFound when there is none of ours, kConflict when there is someone else's instead.
Result<void> detach_decap(const std::string& interface);

// Empty when the interface has none of ours.
Result<std::optional<DecapStatus>> decap_status(const std::string& interface);

}  // namespace maglb
