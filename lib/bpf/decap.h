// IPIP decapsulation on a real server: attaching, detaching and looking at the program of decap.bpf.c.
//
// Nothing is pinned and nothing keeps running: the program lives as long as it is attached, and a later
// process finds it by interface and name. Attaching again replaces ours in one step, with new prefixes
// and counters from zero. Someone else's program is never touched.
//
// All calls concern the calling thread's network namespace.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/base/error.h"
#include "lib/net/address.h"

namespace maglb {

// An IPv4 prefix of outer sources.
struct DecapPrefix {
  IpAddress address;
  uint8_t length = 32;

  // "10.0.0.0/24", or an address for a prefix of 32 bits. Bits beyond the length have to be zero.
  static Result<DecapPrefix> parse(std::string_view text);
  std::string to_string() const;
  friend auto operator<=>(const DecapPrefix&, const DecapPrefix&) = default;
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
  std::vector<DecapPrefix> from;
  // What became of IPIP packets: name, count.
  std::vector<std::pair<std::string_view, uint64_t>> counters;
};

// REQUIRES: from is not empty. Kind kConflict when someone else's program is in the place.
Result<DecapPlace> attach_decap(const std::string& interface, const std::vector<DecapPrefix>& from,
                                DecapMode mode);

// Kind kNotFound when there is none of ours, kConflict when there is someone else's instead.
Result<void> detach_decap(const std::string& interface);

// Empty when the interface has none of ours.
Result<std::optional<DecapStatus>> decap_status(const std::string& interface);

}  // namespace maglb
