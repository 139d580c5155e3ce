// The connection id of a QUIC packet, and the server that it names.
//
// parse_quic() knows only what holds for every version of QUIC (RFC 8999, 5):
//
//   long header    1xxxxxxx | version 4 | dcid length 1 | dcid | scid length 1 | scid | ...
//   short header   0xxxxxxx | dcid | ...            (its length is not in the packet)
//
// server_id_of() reads connection ids minted by QUIC-LB's algorithm without a key
// (draft-ietf-quic-load-balancers, the text after -21, whose sections these are):
//
//   config id 3 bits, length or random 5 bits | server id | nonce | whatever the server appends    (5.2)
//
// A connection id is unroutable (4.1) when its config id is none of the configured or 0b111, when a long
// header's connection id is shorter than the configuration's 1 + server id + nonce, or when a packet with a
// short header is. Then there is no server id, whatever the reason, and the caller falls back to what it
// does with any packet: its flow table, then the 4-tuple (4.2 steps 4 and 5, 4.3.1). The 5 bits of the
// first octet are not looked at: servers may fill them at random (3.3).
//
// Hostile input is the normal case: every length is checked first, nothing is written but the result, and
// nothing of it is authenticated. A client that makes up a connection id chooses its server; it is for the
// caller to see whether a server has the id (4.1), and to choose an id space so large that few have one
// (5.1).
//
// Not here: encrypted connection ids (5.4.1, 5.4.2), versions, anything behind the destination's id.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

namespace maglb {

inline constexpr uint8_t kQuicLongestId = 20;  // of versions 1 and 2 (RFC 9000, 17.2)

struct QuicPacket {
  bool is_long = false;
  uint32_t version = 0;  // 0 in a version negotiation, and for a short header
  // Of a long header: the id, 0..20 bytes. Of a short one: up to 20 bytes, of which the id is the first
  // so many as the server that chose it knows.
  std::span<const uint8_t> destination_id;
};

// The first packet of a UDP payload. None: it is cut off before its connection id ends, or that is longer
// than 20 bytes, which RFC 8999 allows and no version has.
std::optional<QuicPacket> parse_quic(std::span<const uint8_t> payload);

inline constexpr uint8_t kLastQuicLbId = 6;      // 7 stands for ids that are not routed
inline constexpr uint8_t kLongestServerId = 15;  // in bytes
inline constexpr uint8_t kLeastQuicNonce = 4;    // in bytes

struct QuicLbConfig {
  uint8_t id = 0;                // the first three bits: 0..6 (3.1)
  uint8_t server_id_length = 1;  // in bytes, 1..15
  uint8_t nonce_length = 4;      // in bytes, 4..18 (5.3)

  // Of the connection ids: 6..20.
  uint8_t length() const { return static_cast<uint8_t>(1 + server_id_length + nonce_length); }
  bool valid() const {
    return id <= kLastQuicLbId && server_id_length >= 1 && server_id_length <= kLongestServerId &&
           nonce_length >= kLeastQuicNonce && nonce_length <= kQuicLongestId && length() <= kQuicLongestId;
  }
  friend constexpr bool operator==(const QuicLbConfig&, const QuicLbConfig&) = default;
};

struct ServerId {
  uint8_t length = 0;
  std::array<uint8_t, 15> bytes = {};  // zero behind `length`

  friend constexpr bool operator==(const ServerId&, const ServerId&) = default;
};
static_assert(sizeof(ServerId) == 16);

// Of a UDP payload; none if its connection id is unroutable. Of several configurations with one id the
// first valid one counts; one that is not valid is not there.
std::optional<ServerId> server_id_of(std::span<const uint8_t> payload, std::span<const QuicLbConfig> configs);

}  // namespace maglb
