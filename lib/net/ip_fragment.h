// An IP packet in pieces that fit an MTU (RFC 791, 3.2; RFC 8200, 4.5).
//
//   IPv4   the header goes with every piece, of its options those with the copied bit with all but the first;
//          offset and "more fragments" go on from the packet's own, which may be a fragment already
//   IPv6   the headers up to the last of hop-by-hop and routing, then a fragment header, go with every piece
//
// Every piece but the last carries a multiple of 8 bytes, as much as fits. The packet stays as it is until
// keep_first(): the other pieces are copied out of it before.
//
// Functions of their arguments alone: any thread. Hostile input is the normal case.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace maglb {

class IpCut {
 public:
  // `id`: of the fragment header over IPv6; over IPv4 the packet has its own. Nothing: `packet` fits as it
  // is; it may not be cut (DF, a fragment header over IPv6, an offset behind 65,535); it is no IP packet of
  // just that length; or the MTU leaves no room for 8 bytes behind the headers.
  static std::optional<IpCut> of(std::span<uint8_t> packet, size_t mtu, uint32_t id);

  size_t pieces() const { return pieces_; }  // at least 2
  size_t bytes_of(size_t piece) const;       // headers included; at most the MTU
  // What keep_first() writes in front of the packet, in bytes.
  size_t in_front() const { return is_v6_ ? kFragmentHeader : 0; }

  // Writes bytes_of(piece) bytes. REQUIRES: piece < pieces(), and `out` lies apart from the packet.
  void write(size_t piece, uint8_t* out) const;
  // The packet becomes its first piece; where that begins. REQUIRES: in_front() writable bytes.
  uint8_t* keep_first() const;

 private:
  static constexpr size_t kFragmentHeader = 8;
  static constexpr size_t kLongestV4 = 60;

  IpCut() = default;
  static std::optional<IpCut> of_v4(std::span<uint8_t> packet, size_t mtu);
  static std::optional<IpCut> of_v6(std::span<uint8_t> packet, size_t mtu, uint32_t id);
  bool set_rooms(size_t mtu);
  void copy_options();

  // Of the payload, which is what is cut.
  size_t begin_of(size_t piece) const { return piece == 0 ? 0 : first_room_ + (piece - 1) * room_; }
  size_t size_of(size_t piece) const;
  size_t header_of(size_t piece) const;
  void finish_v4(size_t piece, uint8_t* ip) const;
  void finish_v6(size_t piece, uint8_t* ip) const;

  std::span<uint8_t> packet_;
  bool is_v6_ = false;
  bool more_ = false;        // behind the last piece, too
  uint32_t id_ = 0;          // IPv6
  size_t offset_ = 0;        // of the packet's payload in its datagram
  size_t header_ = 0;        // of the packet: what goes with every piece, and what does not behind it
  size_t later_header_ = 0;  // of all pieces but the first, without a fragment header
  size_t next_at_ = 0;       // IPv6: where the last of these headers names what follows
  size_t first_room_ = 0;    // payload of the first piece
  size_t room_ = 0;          // of the others but the last
  size_t pieces_ = 0;
  std::array<uint8_t, kLongestV4 - 20> options_{};  // IPv4: of all pieces but the first
};

}  // namespace maglb
