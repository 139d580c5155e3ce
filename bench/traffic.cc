#include "bench/traffic.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "bench/huge_memory.h"
#include "lib/net/checksum.h"
#include "lib/net/wire.h"

namespace maglb::bench {
namespace {

constexpr size_t kIpv6HeaderBytes = 40;
// The largest leaves room for an outer header within an MTU of 1500.
constexpr std::array<uint16_t, 12> kImix = {64, 64, 64, 594, 64, 64, 594, 1434, 64, 594, 64, 594};

constexpr size_t kIpv4HeaderBytes = sizeof(Ipv4Header);

}  // namespace

IpAddress service_address(uint32_t service, bool is_v6) {
  IpAddress address = IpAddress::v4(
      std::array<uint8_t, 4>{198, 18, static_cast<uint8_t>(service >> 8), static_cast<uint8_t>(service)});
  if (is_v6) {
    constexpr std::array<uint8_t, 12> kPrefix = {0x20, 0x01, 0x0d, 0xb8, 0, 1};
    std::memcpy(address.bytes.data(), kPrefix.data(), kPrefix.size());
  }
  return address;
}

Traffic::Traffic(const TrafficPlan& plan)
    : plan_(plan), stride_(kStride), memory_(size_t{kChunk} * stride_, huge_memory()) {
  for (uint32_t slot = 0; slot < kChunk; ++slot) {
    const uint16_t shortest = plan.is_v6 ? 78 : 64;
    const uint16_t length = plan.imix ? std::max(shortest, kImix[slot % kImix.size()]) : shortest;
    packets_.push_back({frame(slot), length, kHeadroom, static_cast<uint16_t>(128 - length), 0});
    headers_.push_back(header_of(length));
  }
  for (uint32_t service = 0; service < plan.services; ++service) {
    services_.push_back(service_address(service, plan.is_v6));
  }
}

// Everything of a frame's headers but addresses, source port, flags and checksum.
Traffic::Header Traffic::header_of(uint16_t length) const {
  Header header{};
  EthernetHeader ethernet;
  ethernet.destination = kPortMac;
  ethernet.source = MacAddress{{2, 0, 0, 0, 0, 1}};
  ethernet.type = Be16(plan_.is_v6 ? kEtherTypeIpv6 : kEtherTypeIpv4);
  std::memcpy(header.data(), &ethernet, sizeof ethernet);
  uint8_t* const ip = header.data() + sizeof ethernet;
  TcpHeader tcp;
  tcp.destination_port = Be16(kServicePort);
  tcp.offset_reserved = 5 << 4;
  const auto l3_length = static_cast<uint16_t>(length - sizeof ethernet);
  if (plan_.is_v6) {
    const Be16 payload(static_cast<uint16_t>(l3_length - kIpv6HeaderBytes));
    ip[0] = 0x60;
    std::memcpy(ip + 4, &payload, sizeof payload);
    ip[6] = kProtocolTcp;
    ip[7] = 60;
    std::memcpy(ip + kIpv6HeaderBytes, &tcp, sizeof tcp);
    return header;
  }
  Ipv4Header ipv4;
  ipv4.total_length = Be16(l3_length);
  ipv4.fragment = Be16(kIpv4DontFragment);
  ipv4.ttl = 60;
  ipv4.protocol = kProtocolTcp;
  std::memcpy(ip, &ipv4, sizeof ipv4);
  std::memcpy(ip + kIpv4HeaderBytes, &tcp, sizeof tcp);
  return header;
}

void Traffic::write(uint32_t slot, uint64_t flow, uint8_t tcp_flags) {
  uint8_t* const bytes = frame(slot);
  uint8_t* const ip = bytes + sizeof(EthernetHeader);
  std::memcpy(bytes, headers_[slot].data(), headers_[slot].size());
  const IpAddress& service = services_[plan_.services == 1 ? 0 : flow % plan_.services];
  const uint64_t client = flow >> 15;
  const Be16 port(static_cast<uint16_t>(1024 + (flow & 0x7fff)));
  if (plan_.is_v6) {
    constexpr std::array<uint8_t, 8> kClients = {0x20, 0x01, 0x0d, 0xb8, 0, 2};
    std::memcpy(ip + 8, kClients.data(), kClients.size());
    std::memcpy(ip + 16, &client, sizeof client);
    std::memcpy(ip + 24, service.bytes.data(), service.bytes.size());
    std::memcpy(ip + kIpv6HeaderBytes, &port, sizeof port);
    ip[kIpv6HeaderBytes + 13] = tcp_flags;
    return;
  }
  auto& header = header_at<Ipv4Header>(ip);
  header.source = Be32(static_cast<uint32_t>(0x0b000000 + client));
  header.destination = service.to_v4();
  header.checksum = internet_checksum({ip, sizeof header});
  std::memcpy(ip + kIpv4HeaderBytes, &port, sizeof port);
  ip[kIpv4HeaderBytes + 13] = tcp_flags;
}

}  // namespace maglb::bench
