#include "lib/net/fragment.h"

#include "lib/net/ipv6_chain.h"
#include "lib/net/wire.h"

namespace maglb {
namespace {

FragmentFacts facts_v4(std::span<const uint8_t> bytes) {
  const auto& ip = header_at<Ipv4Header>(bytes.data());
  const auto header = static_cast<uint16_t>(ip.length_bytes());
  return {ip.id.host(), (ip.fragment.host() & 0x1fffu) * 8, uint32_t{ip.total_length.host()} - header, header,
          (ip.fragment.host() & 0x2000) != 0};
}

FragmentFacts facts_v6(std::span<const uint8_t> bytes) {
  constexpr uint16_t kFragmentHeader = 8;
  const uint32_t length = sizeof(Ipv6Header) + header_at<Ipv6Header>(bytes.data()).payload_length.host();
  Ipv6Chain chain;
  // What goes wrong behind the fragment header is no matter here.
  (void)walk_chain(bytes, length, chain);
  const auto payload_offset = static_cast<uint16_t>(chain.fragment + kFragmentHeader);
  return {header_at<Be32>(bytes.data() + chain.fragment + 4).host(), chain.offset_bytes,
          length - payload_offset, payload_offset, chain.more};
}

}  // namespace

FragmentFacts fragment_facts(std::span<const uint8_t> ip) {
  return ip[0] >> 4 == 4 ? facts_v4(ip) : facts_v6(ip);
}

}  // namespace maglb
