#include "lib/net/ipv6_chain.h"

#include "lib/net/wire.h"

namespace maglb {
namespace {

constexpr size_t kFragmentHeader = 8;

bool is_extension(uint8_t protocol) {
  return protocol == next_header::kHopByHop || protocol == next_header::kRouting ||
         protocol == next_header::kFragment || protocol == next_header::kAuthentication ||
         protocol == next_header::kDestination;
}

// Of the extension header at `header`. REQUIRES: 8 readable bytes.
size_t header_bytes(uint8_t protocol, const uint8_t* header) {
  if (protocol == next_header::kFragment) {
    return kFragmentHeader;
  }
  // RFC 4302 2.2 counts in words of 4 bytes, all others in words of 8.
  return protocol == next_header::kAuthentication ? (header[1] + 2u) * 4 : (header[1] + 1u) * 8;
}

bool can_be(uint8_t protocol, const uint8_t* header, const Ipv6Chain& before) {
  switch (protocol) {
    case next_header::kHopByHop:
      return before.end == sizeof(Ipv6Header);
    case next_header::kRouting:
      return header[2] != 0;
    case next_header::kFragment:
      return before.fragment == 0;
    case next_header::kAuthentication:
      return header[1] >= 1;  // 12 bytes without the check value
    default:
      return true;
  }
}

void read_fragment(const uint8_t* header, Ipv6Chain& chain) {
  const uint16_t field = header_at<Be16>(header + 2).host();
  chain.offset_bytes = field & 0xfff8;
  chain.more = (field & 1) != 0;
}

}  // namespace

ChainStatus walk_chain(std::span<const uint8_t> ip, size_t packet_length, Ipv6Chain& chain) {
  const auto reach = [&](size_t end) {
    return end <= ip.size()       ? ChainStatus::kWhole
           : end <= packet_length ? ChainStatus::kNotHere
                                  : ChainStatus::kBeyond;
  };
  chain = Ipv6Chain{};
  chain.end = sizeof(Ipv6Header);
  chain.protocol = header_at<Ipv6Header>(ip.data()).next_header;
  for (uint32_t headers = 0; is_extension(chain.protocol) && chain.is_first(); ++headers) {
    constexpr size_t kLeast = 8;
    if (headers == kMaxChainHeaders) {
      return ChainStatus::kTooMany;
    }
    if (const ChainStatus status = reach(chain.end + kLeast); status != ChainStatus::kWhole) {
      return status;
    }
    const uint8_t* const header = ip.data() + chain.end;
    if (!can_be(chain.protocol, header, chain)) {
      return ChainStatus::kBad;
    }
    const size_t end = chain.end + header_bytes(chain.protocol, header);
    if (end > sizeof(Ipv6Header) + kMaxChainBytes) {
      return ChainStatus::kTooMany;
    }
    if (chain.protocol == next_header::kFragment) {
      chain.fragment = chain.end;
      read_fragment(header, chain);
    }
    if (const ChainStatus status = reach(end); status != ChainStatus::kWhole) {
      return status;
    }
    chain.end = static_cast<uint16_t>(end);
    chain.protocol = header[0];
  }
  return ChainStatus::kWhole;
}

}  // namespace maglb
