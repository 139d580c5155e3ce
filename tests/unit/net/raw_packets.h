// Packets of any kind from parts, byte by byte from the RFCs: what tests/support/packet_builder.h, which
// builds whole flows, does not make. Lengths are right unless a test changes them.
#pragma once

#include <initializer_list>
#include <utility>

#include "tests/support/packet_builder.h"

namespace maglb::testing {

inline constexpr uint8_t kClient[] = {192, 0, 2, 1};
inline constexpr uint8_t kVip[] = {198, 51, 100, 1};
inline constexpr uint8_t kClientV6[] = {0x20, 1, 0xd, 0xb8, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
inline constexpr uint8_t kVipV6[] = {0x20, 1, 0xd, 0xb8, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};

inline Bytes join(std::initializer_list<Bytes> parts) {
  Bytes all;
  for (const Bytes& part : parts) {
    all.insert(all.end(), part.begin(), part.end());
  }
  return all;
}
inline Bytes be16(size_t value) {
  return {static_cast<uint8_t>(value >> 8), static_cast<uint8_t>(value)};
}
inline Bytes be32(uint32_t value) {
  return join({be16(value >> 16), be16(value & 0xffff)});
}
inline Bytes zeros(size_t size) {
  return Bytes(size);
}

inline Bytes frame_of(size_t type, const Bytes& packet,
                      std::initializer_list<std::pair<size_t, size_t>> tags = {}) {
  Bytes frame = {2, 0, 0, 0, 0, 0xaa, 2, 0, 0, 0, 0, 0xcc};
  for (const auto& [tpid, tci] : tags) {
    frame = join({frame, be16(tpid), be16(tci)});
  }
  return join({frame, be16(type), packet});
}

inline void seal_v4(Bytes& bytes, size_t ip) {
  write16(bytes, ip + 10, 0);
  write16(bytes, ip + 10, checksum_of(bytes.data() + ip, (bytes[ip] & 15u) * 4));
}
// From the client to the VIP; `reply`: back.
inline Bytes v4(uint8_t protocol, const Bytes& payload, size_t fragment = 0, bool reply = false,
                size_t option_words = 0) {
  const size_t header = 20 + option_words * 4;
  const Bytes client(std::begin(kClient), std::end(kClient));
  const Bytes vip(std::begin(kVip), std::end(kVip));
  Bytes packet = join({{static_cast<uint8_t>(0x40 + header / 4), 0},
                       be16(header + payload.size()),
                       be16(0xbeef),
                       be16(fragment),
                       {63, protocol, 0, 0},
                       reply ? vip : client,
                       reply ? client : vip,
                       Bytes(option_words * 4, 1),
                       payload});
  seal_v4(packet, 0);
  return packet;
}
inline Bytes v6(uint8_t next, const Bytes& payload, bool reply = false) {
  const Bytes client(std::begin(kClientV6), std::end(kClientV6));
  const Bytes vip(std::begin(kVipV6), std::end(kVipV6));
  return join({{0x60, 0, 0, 0},
               be16(payload.size()),
               {next, 63},
               reply ? vip : client,
               reply ? client : vip,
               payload});
}

inline Bytes tcp(size_t source, size_t destination, size_t option_words = 0) {
  return join({be16(source),
               be16(destination),
               zeros(8),
               {static_cast<uint8_t>((5 + option_words) << 4), 2},
               zeros(6 + option_words * 4)});
}
inline Bytes udp(size_t source, size_t destination, const Bytes& payload = {}) {
  return join({be16(source), be16(destination), be16(8 + payload.size()), {0, 0}, payload});
}
inline Bytes icmp(uint8_t type, uint8_t code, uint32_t rest, const Bytes& payload = {}) {
  return join({{type, code, 0, 0}, be32(rest), payload});
}

// IPv6 extension headers.
inline Bytes options(uint8_t next, size_t words_of_8 = 1) {
  Bytes header(words_of_8 * 8);
  header[0] = next;
  header[1] = static_cast<uint8_t>(words_of_8 - 1);
  header[2] = 1;  // PadN
  header[3] = 4;
  return header;
}
inline Bytes routing(uint8_t next, uint8_t type) {
  return {next, 2, type, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8};
}
inline Bytes authentication(uint8_t next) {
  return join({{next, 4, 0, 0}, zeros(20)});
}
inline Bytes fragment_v6(uint8_t next, size_t offset_bytes, bool more, uint32_t id = 0xdeadbeef) {
  return join({{next, 0}, be16(offset_bytes | (more ? 1 : 0)), be32(id)});
}

}  // namespace maglb::testing
