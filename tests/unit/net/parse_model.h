// What parse_frame() should say, a byte at a time: it shares nothing with the product but names.
#pragma once

#include "lib/net/parse.h"
#include "tests/unit/net/raw_packets.h"

namespace maglb::testing {

class ParseModel {
 public:
  ParseStatus status = ParseStatus::kPacket;
  PacketKind kind = PacketKind::kFlow;
  bool is_v6 = false;
  size_t l3 = 14;
  size_t l3_length = 0;
  size_t l4 = 0;  // in the frame
  size_t vlan[2] = {};
  Bytes source;
  Bytes destination;
  size_t ports[2] = {};
  unsigned protocol = 0;
  unsigned flags = 0;
  // Of fragments.
  size_t id = 0;
  size_t offset = 0;
  size_t payload = 0;
  bool more = false;
  // Of ICMP errors.
  size_t quote = 0;

  ParseModel(Bytes frame, size_t whole) : frame_(std::move(frame)), end_(whole) {
    try {
      ethernet();
    } catch (ParseStatus reason) {
      status = reason;
    }
  }

 private:
  using Status = ParseStatus;

  size_t byte(size_t at) const {
    if (at >= end_) {
      throw first_ ? Status::kTinyFragment : Status::kTruncated;
    }
    if (at >= frame_.size()) {
      throw Status::kTruncated;
    }
    return frame_[at];
  }
  size_t number(size_t at, size_t bytes) const {
    size_t value = 0;
    for (size_t i = 0; i < bytes; ++i) {
      value = value << 8 | byte(at + i);
    }
    return value;
  }
  Bytes bytes(size_t at, size_t size) const {
    Bytes all;
    for (size_t i = 0; i < size; ++i) {
      all.push_back(static_cast<uint8_t>(byte(at + i)));
    }
    return all;
  }
  static void refuse(bool wrong, Status status) {
    if (wrong) {
      throw status;
    }
  }

  void ethernet() {
    byte(13);
    size_t type = number(12, 2);
    for (size_t tags = 0; tags < 2 && (type == 0x8100 || type == 0x88a8 || type == 0x9100); ++tags) {
      l3 += 4;
      type = number(l3 - 2, 2);
      vlan[tags] = number(l3 - 4, 2) % 4096;
    }
    if (type == 0x0800) {
      ipv4();
    } else {
      refuse(type != 0x86dd, Status::kOther);
      ipv6();
    }
  }

  void ipv4() {
    byte(l3 + 19);
    const size_t header = byte(l3) % 16 * 4;
    l3_length = number(l3 + 2, 2);
    refuse(byte(l3) / 16 != 4 || header < 20 || l3_length < header, Status::kBadIpHeader);
    refuse(l3 + l3_length > end_, Status::kTruncated);
    end_ = l3 + l3_length;
    refuse(checksum_of(bytes(l3, header).data(), header) != 0, Status::kBadIpChecksum);
    source = mapped(bytes(l3 + 12, 4));
    destination = mapped(bytes(l3 + 16, 4));
    protocol = static_cast<unsigned>(byte(l3 + 9));
    l4 = l3 + header;
    id = number(l3 + 4, 2);
    offset = number(l3 + 6, 2) % 8192 * 8;
    more = (byte(l3 + 6) & 0x20) != 0;
    upper(offset != 0 || more);
  }

  void ipv6() {
    is_v6 = true;
    byte(l3 + 39);
    l3_length = 40 + number(l3 + 4, 2);
    source = bytes(l3 + 8, 16);
    destination = bytes(l3 + 24, 16);
    refuse(byte(l3) / 16 != 6 || is_mapped(source) || is_mapped(destination), Status::kBadIpHeader);
    refuse(l3 + l3_length > end_ || l3_length > 65535, Status::kTruncated);
    end_ = l3 + l3_length;
    protocol = static_cast<unsigned>(byte(l3 + 6));
    l4 = chain(l3);
    upper(offset != 0 || more);
  }

  // Where the chain of the header at `ip` ends; sets protocol and what a fragment header says.
  size_t chain(size_t ip) {
    size_t at = ip + 40;
    bool fragmented = false;
    for (int headers = 1; offset == 0 && is_extension(protocol); ++headers) {
      refuse(headers > 8, Status::kTooManyHeaders);
      byte(at + 7);
      refuse(protocol == 0 && at != ip + 40, Status::kBadIpHeader);
      refuse(protocol == 43 && byte(at + 2) == 0, Status::kBadIpHeader);
      refuse(protocol == 44 && fragmented, Status::kBadIpHeader);
      refuse(protocol == 51 && byte(at + 1) == 0, Status::kBadIpHeader);
      const size_t size = protocol == 44 ? 8 : protocol == 51 ? 8 + byte(at + 1) * 4 : 8 + byte(at + 1) * 8;
      refuse(at + size > ip + 40 + 512, Status::kTooManyHeaders);
      if (protocol == 44) {
        fragmented = true;
        fragment_header(at);
      }
      byte(at + size - 1);
      protocol = static_cast<unsigned>(byte(at));
      at += size;
    }
    return at;
  }

  void fragment_header(size_t at) {
    offset = number(at + 2, 2) / 8 * 8;
    more = byte(at + 3) % 2 != 0;
    id = number(at + 4, 4);
    if (!quoted_ && (offset != 0 || more)) {
      payload = end_ - (at + 8);
      check_fragment();
    }
  }

  void check_fragment() {
    refuse(offset + payload > 65535 || (more && payload % 8 != 0), Status::kBadIpHeader);
    first_ = offset == 0;
  }

  void upper(bool fragment) {
    if (fragment) {
      kind = PacketKind::kFragment;
      if (!is_v6) {
        payload = end_ - l4;
        check_fragment();
      }
      refuse(offset == 8 && protocol == 6, Status::kTinyFragment);
      if (offset == 0 && protocol == 6) {
        tcp_header();
      } else if (offset == 0 && protocol == 17) {
        udp_header();
      }
      return;
    }
    const unsigned own_icmp = is_v6 ? 58 : 1;
    if (protocol == 6) {
      tcp_header();
    } else if (protocol == 17) {
      udp_header();
    } else if (protocol == own_icmp) {
      icmp_header();
    } else {
      refuse(protocol == 0 || protocol == 1 || protocol == 2 || protocol == 58 || protocol == 59,
             Status::kOther);
      kind = PacketKind::kPortless;
    }
  }

  void tcp_header() {
    byte(l4 + 19);
    const size_t size = byte(l4 + 12) / 16 * 4;
    refuse(size < 20, Status::kBadL4Header);
    refuse(l4 + size > end_, first_ ? Status::kTinyFragment : Status::kBadL4Header);
    byte(l4 + size - 1);
    ports[0] = number(l4, 2);
    ports[1] = number(l4 + 2, 2);
    flags = static_cast<unsigned>(byte(l4 + 13));
  }

  void udp_header() {
    byte(l4 + 7);
    const size_t size = number(l4 + 4, 2);
    refuse(size < 8 || (!first_ && l4 + size > end_), Status::kBadL4Header);
    ports[0] = number(l4, 2);
    ports[1] = number(l4 + 2, 2);
  }

  void icmp_header() {
    refuse(l4 + 8 > end_, Status::kOther);
    byte(l4 + 7);
    const size_t type = byte(l4);
    if (type == (is_v6 ? 128u : 8u)) {
      kind = PacketKind::kEcho;
      ports[0] = number(l4 + 4, 2);
      return;
    }
    refuse(is_v6 ? type < 1 || type > 4 : type != 3 && type != 11 && type != 12, Status::kOther);
    kind = PacketKind::kIcmpError;
    quote = l4 + 8;
    try {
      quoted();
    } catch (ParseStatus) {
      throw Status::kOther;
    }
  }

  void quoted() {
    quoted_ = true;
    const size_t address = is_v6 ? 16 : 4;
    const size_t at = quote + (is_v6 ? 8 : 12);
    const Bytes from = bytes(at, address);
    const Bytes to = bytes(at + address, address);
    refuse(byte(quote) / 16 != (is_v6 ? 6u : 4u), Status::kOther);
    refuse((is_v6 ? from : mapped(from)) != destination || (is_v6 && is_mapped(to)), Status::kOther);
    source = is_v6 ? to : mapped(to);
    protocol = static_cast<unsigned>(byte(quote + (is_v6 ? 6 : 9)));
    size_t inner = 0;
    if (is_v6) {
      inner = chain(quote);
      refuse(offset != 0, Status::kOther);
    } else {
      inner = quote + byte(quote) % 16 * 4;
      refuse(inner < quote + 20 || number(quote + 6, 2) % 8192 != 0, Status::kOther);
    }
    byte(inner + 7);
    if (protocol == 6 || protocol == 17) {
      ports[0] = number(inner + 2, 2);
      ports[1] = number(inner, 2);
    } else if (protocol == (is_v6 ? 58u : 1u)) {
      refuse(byte(inner) != (is_v6 ? 129u : 0u), Status::kOther);
      ports[0] = number(inner + 4, 2);
    } else {
      refuse(protocol <= 2 || protocol == 58 || protocol == 59, Status::kOther);
    }
  }

  static bool is_extension(unsigned protocol) {
    return protocol == 0 || protocol == 43 || protocol == 44 || protocol == 51 || protocol == 60;
  }
  static Bytes mapped(const Bytes& v4) { return join({zeros(10), {0xff, 0xff}, v4}); }
  static bool is_mapped(const Bytes& address) {
    return mapped({address.end() - 4, address.end()}) == address;
  }

  Bytes frame_;
  size_t end_;  // of the frame, then of the packet
  bool first_ = false;
  bool quoted_ = false;
};

}  // namespace maglb::testing
