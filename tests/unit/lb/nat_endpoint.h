// One end of a TCP connection, as simple as it can be and still be lossless: it repeats what is not
// acknowledged, in pieces of any size, but for what was acknowledged selectively, and puts together what
// comes in any order. And segments as bytes of a packet. Nothing of the product's.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "tests/support/packet_builder.h"

namespace maglb::testing {

struct TcpSegment {
  bool syn = false, ack = false, fin = false;
  uint32_t number = 0;
  uint32_t acknowledged = 0;
  uint16_t window = 0;
  uint16_t mss = 0;  // only with SYN
  std::vector<std::pair<uint32_t, uint32_t>> sack;
  std::string data;
};

struct TcpAddress {
  std::string address;
  uint16_t port = 0;
  friend bool operator==(const TcpAddress&, const TcpAddress&) = default;
};

inline Bytes address_bytes(const std::string& text) {
  const bool v6 = text.find(':') != std::string::npos;
  Bytes bytes(v6 ? 16 : 4);
  inet_pton(v6 ? AF_INET6 : AF_INET, text.c_str(), bytes.data());
  return bytes;
}

inline void append32(Bytes& bytes, uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) {
    bytes.push_back(static_cast<uint8_t>(value >> shift));
  }
}
inline uint32_t read32(const Bytes& bytes, size_t at) {
  return uint32_t{read16(bytes, at)} << 16 | read16(bytes, at + 2);
}

inline uint16_t tcp_checksum(const Bytes& addresses, const Bytes& tcp) {
  Bytes summed = addresses;
  append32(summed, static_cast<uint32_t>(tcp.size()));
  append32(summed, 6);
  summed.insert(summed.end(), tcp.begin(), tcp.end());
  return checksum_of(summed.data(), summed.size());
}

inline Bytes options_of(const TcpSegment& segment) {
  Bytes options;
  if (segment.mss != 0) {
    options = {2, 4, static_cast<uint8_t>(segment.mss >> 8), static_cast<uint8_t>(segment.mss)};
  }
  if (!segment.sack.empty()) {
    options = {1, 1, 5, static_cast<uint8_t>(2 + 8 * segment.sack.size())};
    for (const auto& [left, right] : segment.sack) {
      append32(options, left);
      append32(options, right);
    }
  }
  return options;
}

inline Bytes packet_of(const TcpSegment& segment, const TcpAddress& from, const TcpAddress& to) {
  const Bytes options = options_of(segment);
  Bytes tcp(4);
  write16(tcp, 0, from.port);
  write16(tcp, 2, to.port);
  append32(tcp, segment.number);
  append32(tcp, segment.acknowledged);
  tcp.push_back(static_cast<uint8_t>((5 + options.size() / 4) << 4));
  tcp.push_back(static_cast<uint8_t>(segment.fin | segment.syn << 1 | segment.ack << 4));
  append32(tcp, uint32_t{segment.window} << 16);
  append32(tcp, 0);
  tcp.resize(20);
  tcp.insert(tcp.end(), options.begin(), options.end());
  tcp.insert(tcp.end(), segment.data.begin(), segment.data.end());

  Bytes addresses = address_bytes(from.address);
  const Bytes destination = address_bytes(to.address);
  const bool v6 = addresses.size() == 16;
  addresses.insert(addresses.end(), destination.begin(), destination.end());
  write16(tcp, 16, tcp_checksum(addresses, tcp));
  Bytes packet(v6 ? 8 : 12);
  packet[0] = v6 ? 0x60 : 0x45;
  packet[v6 ? 6 : 9] = 6;
  packet[v6 ? 7 : 8] = 64;
  write16(packet, v6 ? 4 : 2, tcp.size() + (v6 ? 0 : 20));
  packet.insert(packet.end(), addresses.begin(), addresses.end());
  if (!v6) {
    write16(packet, 10, checksum_of(packet.data(), 20));
  }
  packet.insert(packet.end(), tcp.begin(), tcp.end());
  return packet;
}

// Expects the packet to be sound, and between these two.
inline TcpSegment segment_of(const Bytes& packet, const TcpAddress& from, const TcpAddress& to) {
  const bool v6 = packet.at(0) == 0x60;
  const size_t l4 = v6 ? 40 : 20;
  Bytes addresses = address_bytes(from.address);
  const Bytes destination = address_bytes(to.address);
  addresses.insert(addresses.end(), destination.begin(), destination.end());
  EXPECT_TRUE(std::equal(addresses.begin(), addresses.end(), packet.begin() + (v6 ? 8 : 12)));
  EXPECT_EQ(packet.size(), read16(packet, v6 ? 4 : 2) + (v6 ? 40u : 0u));
  EXPECT_TRUE(v6 || checksum_of(packet.data(), 20) == 0);
  EXPECT_EQ(packet[v6 ? 7 : 8], 63);
  const Bytes tcp(packet.begin() + static_cast<std::ptrdiff_t>(l4), packet.end());
  EXPECT_EQ(tcp_checksum(addresses, tcp), 0);
  EXPECT_EQ(read16(tcp, 0), from.port);
  EXPECT_EQ(read16(tcp, 2), to.port);

  TcpSegment segment;
  segment.number = read32(tcp, 4);
  segment.acknowledged = read32(tcp, 8);
  segment.fin = (tcp[13] & 1) != 0;
  segment.syn = (tcp[13] & 2) != 0;
  segment.ack = (tcp[13] & 16) != 0;
  segment.window = read16(tcp, 14);
  const size_t header = (tcp[12] >> 4) * 4u;
  for (size_t at = 20; at < header; at += tcp[at] == 1 ? 1 : tcp[at + 1]) {
    if (tcp[at] == 2) {
      segment.mss = read16(tcp, at + 2);
    }
    for (size_t i = at + 2; tcp[at] == 5 && i < at + tcp[at + 1]; i += 8) {
      segment.sack.emplace_back(read32(tcp, i), read32(tcp, i + 4));
    }
  }
  segment.data.assign(tcp.begin() + static_cast<std::ptrdiff_t>(header), tcp.end());
  return segment;
}

// Positions count from 0, which is the number behind the SYN's.
class TcpEndpoint {
 public:
  struct Options {
    bool connects = false;
    uint32_t isn = 0;
    std::string data;         // to send, and then the FIN
    size_t speaks_after = 0;  // bytes that have to be received first
    uint16_t mss = 1000;
    uint16_t window = 8000;
  };

  TcpEndpoint(Options options, std::mt19937& random)
      : o_(std::move(options)), random_(random), sacked_(o_.data.size() + 1) {}

  const std::string& received() const { return received_; }
  bool is_done() const { return acknowledged_ == o_.data.size() + 1 && fin_received_; }

  // What it sends now: something new, or after a while without progress what is not acknowledged.
  std::vector<TcpSegment> tick() {
    std::vector<TcpSegment> out;
    const bool repeat = ++quiet_ > 40;
    quiet_ = repeat ? 0 : quiet_;
    if (!is_open_) {
      if ((o_.connects || has_peer_) && (repeat || !began_)) {
        out.push_back(begin());
      }
    } else {
      if (repeat) {
        repeat_some(out);
      }
      if (random_() % 4 == 0) {
        send_some(out);
      }
      if (random_() % 64 == 0 && acknowledged_ == sent_ && sent_ <= o_.data.size()) {
        out.push_back(keepalive());
      }
    }
    if (out.empty() && owes_) {
      out.push_back(bare());
    }
    owes_ = owes_ && out.empty();
    return out;
  }

  void receive(const TcpSegment& segment) {
    if (segment.syn) {
      return receive_syn(segment);
    }
    if (!has_peer_) {
      return;
    }
    EXPECT_LE(segment.data.size(), o_.mss);
    take_acknowledgement(segment);
    take_data(segment);
  }

 private:
  TcpSegment bare() const {
    TcpSegment segment;
    segment.ack = has_peer_;
    segment.number = number(sent_);
    segment.acknowledged = peer_isn_ + 1 + static_cast<uint32_t>(received_.size()) + (fin_received_ ? 1 : 0);
    segment.window = o_.window;
    for (auto hole = waiting_.begin(); hole != waiting_.end() && segment.sack.size() < 3;) {
      size_t end = hole->first;
      const size_t start = end;
      for (; hole != waiting_.end() && hole->first == end; ++hole) {
        ++end;
      }
      segment.sack.emplace_back(peer_isn_ + 1 + start, peer_isn_ + 1 + end);
    }
    if (repeated_) {
      segment.sack.insert(segment.sack.begin(), *repeated_);  // RFC 2883
      repeated_.reset();
    }
    return segment;
  }
  TcpSegment begin() {
    began_ = true;
    TcpSegment segment = bare();
    segment.number = o_.isn;
    segment.acknowledged = has_peer_ ? peer_isn_ + 1 : 0;
    segment.syn = true;
    segment.mss = o_.mss;
    return segment;
  }
  // RFC 1122 4.2.3.6, with the byte of garbage that some send.
  TcpSegment keepalive() {
    TcpSegment segment = bare();
    segment.number = number(acknowledged_) - 1;
    segment.data = random_() % 2 == 0 ? "?" : "";
    return segment;
  }
  uint32_t number(size_t position) const { return o_.isn + 1 + static_cast<uint32_t>(position); }
  bool may_speak() const { return received_.size() >= o_.speaks_after; }

  TcpSegment piece(size_t from, size_t to) const {
    TcpSegment segment = bare();
    segment.number = number(from);
    segment.data = o_.data.substr(from, to - from);
    segment.fin = to == o_.data.size() + 1;
    return segment;
  }
  size_t end_of_piece(size_t from, size_t end) {
    const size_t most = random_() % 3 == 0 ? 1 + random_() % peer_mss_ : peer_mss_;
    size_t to = std::min(from + most, end);
    for (size_t i = from; i < to; ++i) {
      to = sacked_[i] ? i : to;
    }
    return to;
  }
  void send_some(std::vector<TcpSegment>& out) {
    const size_t end = may_speak() ? std::min(o_.data.size() + 1, acknowledged_ + peer_window_) : sent_;
    while (sent_ < end && out.size() < 4) {
      const size_t to = end_of_piece(sent_, end);
      out.push_back(piece(sent_, to));
      sent_ = to;
    }
  }
  void repeat_some(std::vector<TcpSegment>& out) {
    for (size_t at = acknowledged_; at < sent_ && out.size() < 3;) {
      const size_t to = end_of_piece(at, sent_);
      if (to > at) {
        out.push_back(piece(at, to));
      }
      at = std::max(to, at + 1);
    }
  }

  void receive_syn(const TcpSegment& segment) {
    EXPECT_TRUE(segment.data.empty());
    if (o_.connects != segment.ack || (segment.ack && segment.acknowledged != o_.isn + 1)) {
      return;
    }
    peer_isn_ = segment.number;
    has_peer_ = true;
    peer_mss_ = segment.mss;
    if (!is_open_) {
      peer_window_ = segment.window;
    }
    is_open_ = is_open_ || o_.connects;
    owes_ = o_.connects;
  }
  void take_acknowledgement(const TcpSegment& segment) {
    const auto position = static_cast<int32_t>(segment.acknowledged - (o_.isn + 1));
    EXPECT_LE(position, static_cast<int32_t>(sent_)) << "what was never sent";
    EXPECT_GE(position, 0) << "what lies in front of the stream";
    is_open_ = is_open_ || position >= 0;
    if (position < 0 || static_cast<size_t>(position) < acknowledged_) {
      return;
    }
    quiet_ = static_cast<size_t>(position) > acknowledged_ ? 0 : quiet_;
    acknowledged_ = static_cast<size_t>(position);
    peer_window_ = segment.window;
    for (const auto& [left, right] : segment.sack) {
      const auto from = static_cast<int32_t>(left - (o_.isn + 1));
      const auto to = static_cast<int32_t>(right - (o_.isn + 1));
      EXPECT_LE(to, static_cast<int32_t>(sent_)) << "what was never sent";
      EXPECT_LE(from, to);
      for (int32_t i = std::max(from, 0); i < to; ++i) {
        sacked_[static_cast<size_t>(i)] = true;
      }
    }
  }
  void take_data(const TcpSegment& segment) {
    const auto start = static_cast<int32_t>(segment.number - (peer_isn_ + 1));
    const auto length = static_cast<int32_t>(segment.data.size());
    owes_ = owes_ || length > 0 || segment.fin || start < static_cast<int32_t>(received_.size());
    if (length > 0 && start + length <= static_cast<int32_t>(received_.size())) {
      repeated_ = {segment.number, segment.number + segment.data.size()};
    }
    for (int32_t i = 0; i < length; ++i) {
      const int32_t at = start + i;
      // Outside of the window nothing is taken.
      if (at >= static_cast<int32_t>(received_.size()) &&
          at < static_cast<int32_t>(received_.size()) + o_.window) {
        waiting_.emplace(at, segment.data[static_cast<size_t>(i)]);
      }
    }
    if (segment.fin) {
      end_ = start + length;
    }
    while (!waiting_.empty() && waiting_.begin()->first == received_.size()) {
      received_.push_back(waiting_.begin()->second);
      waiting_.erase(waiting_.begin());
    }
    fin_received_ = end_ && *end_ == static_cast<int32_t>(received_.size());
  }

  Options o_;
  std::mt19937& random_;
  bool began_ = false;
  bool is_open_ = false;
  bool has_peer_ = false;
  bool owes_ = false;  // an acknowledgement
  bool fin_received_ = false;
  int quiet_ = 0;
  size_t acknowledged_ = 0;
  size_t sent_ = 0;
  size_t peer_window_ = 0;
  uint32_t peer_isn_ = 0;
  uint16_t peer_mss_ = 536;
  std::optional<int32_t> end_;
  mutable std::optional<std::pair<uint32_t, uint32_t>> repeated_;
  std::vector<bool> sacked_;
  std::map<size_t, char> waiting_;
  std::string received_;
};

}  // namespace maglb::testing
