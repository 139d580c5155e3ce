// Frames for the steering program, of both families by the same words.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <utility>
#include <vector>

#include "lib/net/address.h"
#include "lib/net/wire.h"

namespace maglb {

using Frame = std::vector<uint8_t>;

inline const MacAddress kOurMac = *MacAddress::parse("02:aa:00:00:00:01");

struct Tag {
  uint16_t type;
  uint16_t control;
};

inline IpAddress ip(const char* text) {
  return *IpAddress::parse(text);
}

inline Frame joined(Frame front, const Frame& behind) {
  front.insert(front.end(), behind.begin(), behind.end());
  return front;
}

template <typename Header>
Frame bytes_of(const Header& header) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(&header);
  return Frame(bytes, bytes + sizeof header);
}

// `option_words` of 4 bytes behind the header.
inline Frame ipv4(const IpAddress& source, const IpAddress& destination, uint8_t protocol,
                  const Frame& payload, uint16_t fragment = 0, uint8_t option_words = 0) {
  Ipv4Header header;
  header.version_ihl = static_cast<uint8_t>(0x45 + option_words);
  header.total_length = Be16(static_cast<uint16_t>(sizeof header + option_words * 4u + payload.size()));
  header.protocol = protocol;
  header.fragment = Be16(fragment);
  header.ttl = 64;
  header.source = source.to_v4();
  header.destination = destination.to_v4();
  return joined(joined(bytes_of(header), Frame(option_words * 4u, 1)), payload);
}

inline Frame ipv6(const IpAddress& source, const IpAddress& destination, uint8_t next, const Frame& payload) {
  Ipv6Header header;
  header.payload_length = Be16(static_cast<uint16_t>(payload.size()));
  header.next_header = next;
  header.hop_limit = 64;
  header.source = source;
  header.destination = destination;
  return joined(bytes_of(header), payload);
}

// In the family of the addresses.
inline Frame packet(const IpAddress& source, const IpAddress& destination, uint8_t protocol,
                    const Frame& payload) {
  return destination.is_v4() ? ipv4(source, destination, protocol, payload)
                             : ipv6(source, destination, protocol, payload);
}

// Hop-by-hop options, destination options or a routing header of (1 + units) * 8 bytes.
inline Frame extension(uint8_t next, uint8_t units, const Frame& behind) {
  Frame header(8u + units * 8u);
  header[0] = next;
  header[1] = units;
  return joined(header, behind);
}

// `offset` in bytes, a multiple of 8; the lowest bit says that there are more.
inline Frame fragment_header(uint8_t next, uint16_t offset, const Frame& behind) {
  const Frame header = {next, 0xff, static_cast<uint8_t>(offset >> 8), static_cast<uint8_t>(offset), 0, 0,
                        0,    1};
  return joined(header, behind);
}

// The beginning of a TCP or UDP header.
inline Frame ports(uint16_t source, uint16_t destination) {
  Frame header(20);
  header[0] = static_cast<uint8_t>(source >> 8);
  header[1] = static_cast<uint8_t>(source);
  header[2] = static_cast<uint8_t>(destination >> 8);
  header[3] = static_cast<uint8_t>(destination);
  return header;
}

// ICMP of either family: an error with what it quotes, or anything else with its data.
inline Frame icmp(uint8_t type, const Frame& behind) {
  return joined({type, 0, 0, 0, 0, 0, 0, 0}, behind);
}

inline uint8_t icmp_protocol(const IpAddress& destination) {
  return destination.is_v4() ? 1 : 58;
}

inline Frame ethernet(const Frame& packet, const MacAddress& destination, std::vector<Tag> tags,
                      uint16_t type) {
  Frame frame(destination.bytes.begin(), destination.bytes.end());
  frame.insert(frame.end(), {2, 0, 0, 0, 0, 9});
  const auto put = [&frame](uint16_t value) {
    frame.push_back(static_cast<uint8_t>(value >> 8));
    frame.push_back(static_cast<uint8_t>(value));
  };
  for (const Tag& tag : tags) {
    put(tag.type);
    put(tag.control);
  }
  put(type);
  return joined(std::move(frame), packet);
}

// With the type that the packet's version tells.
inline Frame ethernet(const Frame& packet, const MacAddress& destination = kOurMac,
                      std::vector<Tag> tags = {}) {
  const uint16_t type = !packet.empty() && packet[0] >> 4 == 6 ? kEtherTypeIpv6 : kEtherTypeIpv4;
  return ethernet(packet, destination, std::move(tags), type);
}

}  // namespace maglb
