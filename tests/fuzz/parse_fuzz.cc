// One frame: whatever it holds, what parse_frame() says of it lies within it, and so does what is read of
// fragments and ICMP errors behind it.
#include <algorithm>
#include <cstdlib>
#include <memory>

#include "lib/net/fragment.h"
#include "lib/net/icmp_quote.h"
#include "lib/net/parse.h"
#include "lib/net/wire.h"

namespace maglb {
namespace {

void require(bool holds) {
  if (!holds) {
    std::abort();
  }
}

// The fast path says nothing, or what parse_frame() says.
void require_as_common(std::span<const uint8_t> frame, ParseStatus status, const ParsedFrame& parsed) {
  ParsedFrame common;
  common.vlan_outer = common.vlan_inner = 77;
  if (frame.size() > UINT16_MAX || !parse_common(frame.data(), static_cast<uint16_t>(frame.size()), common)) {
    return;
  }
  require(status == ParseStatus::kPacket && common.key == parsed.key && common.l3_offset == parsed.l3_offset);
  require(common.l3_length == parsed.l3_length && common.tcp_flags == parsed.tcp_flags);
  require(common.is_v6 == parsed.is_v6 && common.kind == parsed.kind && common.kind == PacketKind::kFlow);
  require(common.vlan_outer == 0 && common.vlan_inner == 0 && parsed.vlan_outer == 0 &&
          parsed.vlan_inner == 0);
}

void require_fragment(std::span<const uint8_t> ip, const ParsedFrame& parsed) {
  const FragmentFacts facts = fragment_facts(ip);
  require(facts.more || facts.offset_bytes != 0);
  require(facts.payload_offset + facts.payload_bytes == parsed.l3_length);
  require(facts.offset_bytes % 8 == 0 && facts.offset_bytes + facts.payload_bytes <= UINT16_MAX);
  require(!facts.more || facts.payload_bytes % 8 == 0);
  const bool has_ports =
      facts.is_first() && (parsed.key.protocol == Protocol::kTcp || parsed.key.protocol == Protocol::kUdp);
  require(has_ports || (parsed.key.source_port == Be16(0) && parsed.key.destination_port == Be16(0)));
  require(has_ports || parsed.tcp_flags == 0);
}

void require_error(std::span<const uint8_t> ip, const ParsedFrame& parsed) {
  constexpr size_t kLeast = 8;
  const IcmpQuote quote = icmp_quote(ip);
  const size_t address = parsed.is_v6 ? sizeof(IpAddress) : sizeof(Be32);
  require(is_icmp_error(quote.type, parsed.is_v6) && quote.offset == l4_offset(ip) + kLeast);
  require(quote.offset + (parsed.is_v6 ? sizeof(Ipv6Header) : sizeof(Ipv4Header)) + kLeast <=
          parsed.l3_length);
  // Who gets the error has sent what it quotes.
  const uint8_t* const outer = ip.data() + (parsed.is_v6 ? 24 : 16);
  const uint8_t* const quoted = ip.data() + quote.offset + (parsed.is_v6 ? 8 : 12);
  require(std::equal(outer, outer + address, quoted));
  constexpr uint16_t kGuePort = 6080;
  if (const auto tunnel = tunnel_quote(ip, kGuePort)) {
    require(tunnel->offset > quote.offset && tunnel->offset < parsed.l3_length);
    require(ip[tunnel->offset] >> 4 == (tunnel->is_v6 ? 6 : 4));
    require(tunnel->is_v6 != tunnel->key.source.is_v4() && tunnel->is_v6 != tunnel->key.destination.is_v4());
    require(tunnel->has_ports || tunnel->key.source_port == Be16(0));
  }
}

void require_within(std::span<const uint8_t> frame, size_t whole, const ParsedFrame& parsed) {
  const auto ip = frame.subspan(parsed.l3_offset);
  require(size_t{parsed.l3_offset} + parsed.l3_length <= whole);
  require(ip[0] >> 4 == (parsed.is_v6 ? 6 : 4));
  require(parsed.is_v6 != parsed.key.source.is_v4() && parsed.is_v6 != parsed.key.destination.is_v4());
  switch (parsed.kind) {
    case PacketKind::kFlow:
      require(l4_offset(ip) + sizeof(UdpHeader) <= std::min<size_t>(parsed.l3_length, ip.size()));
      require(
          std::equal(ip.data() + l4_offset(ip), ip.data() + l4_offset(ip) + 2, parsed.key.source_port.bytes));
      return;
    case PacketKind::kFragment:
      return require_fragment(ip, parsed);
    case PacketKind::kIcmpError:
      return require_error(ip, parsed);
    case PacketKind::kEcho:
      return require(is_echo_request(ip[l4_offset(ip)], parsed.is_v6) &&
                     parsed.key.destination_port == Be16(0));
    case PacketKind::kPortless:
      return require(l4_offset(ip) <= parsed.l3_length && parsed.key.protocol != Protocol::kTcp &&
                     parsed.key.protocol != Protocol::kUdp && parsed.key.protocol != Protocol::kAny);
  }
}

void fuzz(std::span<const uint8_t> frame, size_t whole) {
  ParsedFrame parsed;
  const ParseStatus status = parse_frame(frame, whole, parsed);
  require(parsed.l3_offset == 14 || parsed.l3_offset == 18 || parsed.l3_offset == 22);
  if (frame.size() == whole) {
    require_as_common(frame, status, parsed);
  }
  if (status == ParseStatus::kPacket) {
    require_within(frame, whole, parsed);
  }
}

}  // namespace
}  // namespace maglb

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // A copy of exactly its size, so that a byte read beside it is seen.
  const auto copy = std::make_unique<uint8_t[]>(size + 1);
  std::copy(data, data + size, copy.get() + 1);
  maglb::fuzz({copy.get() + 1, size}, size);
  maglb::fuzz({copy.get() + 1, size}, size + 1480);  // and more in a second buffer
  return 0;
}
