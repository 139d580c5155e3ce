// Frames in words: Frame().from("192.0.2.1", 40000).to("198.51.100.1", 80).tcp("S").bytes(). Written
// from the RFCs on bytes, with nothing of the product, so that a test does not share its mistakes.
#pragma once

#include <arpa/inet.h>

#include <cstdint>
#include <string>
#include <vector>

namespace maglb::testing {

using Bytes = std::vector<uint8_t>;

// RFC 1071, a byte pair at a time.
inline uint16_t checksum_of(const uint8_t* bytes, size_t size) {
  uint32_t sum = 0;
  for (size_t i = 0; i < size; ++i) {
    sum += i % 2 == 0 ? uint32_t{bytes[i]} << 8 : bytes[i];
  }
  while (sum > 0xffff) {
    sum = (sum & 0xffff) + (sum >> 16);
  }
  return static_cast<uint16_t>(~sum);
}

inline uint16_t read16(const Bytes& bytes, size_t at) {
  return static_cast<uint16_t>(bytes.at(at) << 8 | bytes.at(at + 1));
}
inline void write16(Bytes& bytes, size_t at, size_t value) {
  bytes.at(at) = static_cast<uint8_t>(value >> 8);
  bytes.at(at + 1) = static_cast<uint8_t>(value);
}

class Frame {
 public:
  Frame& from(const std::string& address, uint16_t port) { return endpoint(source_, address, port); }
  Frame& to(const std::string& address, uint16_t port) { return endpoint(destination_, address, port); }
  Frame& to_mac(const Bytes& mac) { return set(destination_mac_, mac); }
  Frame& from_mac(const Bytes& mac) { return set(source_mac_, mac); }
  // Flags as letters: S, A, F, R, P.
  Frame& tcp(const std::string& flags) {
    protocol_ = 6;
    flags_ = 0;
    for (const char flag : flags) {
      flags_ |= flag == 'F' ? 1 : flag == 'S' ? 2 : flag == 'R' ? 4 : flag == 'P' ? 8 : 16;
    }
    return *this;
  }
  Frame& udp() { return set(protocol_, uint8_t{17}); }
  Frame& protocol(uint8_t number) { return set(protocol_, number); }
  Frame& payload(size_t size) { return set(payload_, size); }
  Frame& padding(size_t size) { return set(padding_, size); }
  Frame& dont_fragment() { return set(fragment_, uint16_t{0x4000}); }
  Frame& fragment(uint16_t flags_and_offset) { return set(fragment_, flags_and_offset); }
  Frame& tos(uint8_t value) { return set(tos_, value); }
  Frame& ttl(uint8_t value) { return set(ttl_, value); }

  Bytes bytes() const { return is_v6_ ? bytes_v6() : bytes_v4(); }

 private:
  Bytes bytes_v4() const {
    const size_t header = protocol_ == 6 ? 20 : 8;
    Bytes frame(14 + 20 + header + payload_ + padding_, 0);
    std::copy(destination_mac_.begin(), destination_mac_.end(), frame.begin());
    std::copy(source_mac_.begin(), source_mac_.end(), frame.begin() + 6);
    write16(frame, 12, 0x0800);
    frame[14] = 0x45;
    frame[15] = tos_;
    write16(frame, 16, 20 + header + payload_);
    write16(frame, 18, 0x1234);
    write16(frame, 20, fragment_);
    frame[22] = ttl_;
    frame[23] = protocol_;
    std::copy_n(source_.address, 4, frame.begin() + 26);
    std::copy_n(destination_.address, 4, frame.begin() + 30);
    write16(frame, 24, checksum_of(frame.data() + 14, 20));
    fill_l4(frame, 34);
    return frame;
  }

  // RFC 8200; tos is the traffic class, ttl the hop limit.
  Bytes bytes_v6() const {
    const size_t header = protocol_ == 6 ? 20 : 8;
    Bytes frame(14 + 40 + header + payload_ + padding_, 0);
    std::copy(destination_mac_.begin(), destination_mac_.end(), frame.begin());
    std::copy(source_mac_.begin(), source_mac_.end(), frame.begin() + 6);
    write16(frame, 12, 0x86dd);
    write16(frame, 14, 0x6000u | size_t{tos_} << 4 | 0x5);  // and some bits of a flow label
    write16(frame, 16, 0x4321);
    write16(frame, 18, header + payload_);
    frame[20] = protocol_;
    frame[21] = ttl_;
    std::copy_n(source_.address, 16, frame.begin() + 22);
    std::copy_n(destination_.address, 16, frame.begin() + 38);
    fill_l4(frame, 54);
    return frame;
  }

  void fill_l4(Bytes& frame, size_t at) const {
    write16(frame, at, source_.port);
    write16(frame, at + 2, destination_.port);
    if (protocol_ == 6) {
      frame[at + 12] = 0x50;
      frame[at + 13] = flags_;
    } else {
      write16(frame, at + 4, 8 + payload_);
    }
    const size_t header = protocol_ == 6 ? 20 : 8;
    for (size_t i = 0; i < payload_; ++i) {
      frame[at + header + i] = static_cast<uint8_t>(i * 7 + 1);
    }
    std::fill_n(frame.end() - static_cast<std::ptrdiff_t>(padding_), padding_, uint8_t{0xee});
  }

  struct Endpoint {
    uint8_t address[16] = {};
    uint16_t port = 0;
  };
  Frame& endpoint(Endpoint& which, const std::string& address, uint16_t port) {
    is_v6_ = address.find(':') != std::string::npos;
    inet_pton(is_v6_ ? AF_INET6 : AF_INET, address.c_str(), which.address);
    which.port = port;
    return *this;
  }
  template <typename T>
  Frame& set(T& field, const T& value) {
    field = value;
    return *this;
  }

  Bytes destination_mac_ = {2, 0, 0, 0, 0, 0xaa};
  Bytes source_mac_ = {2, 0, 0, 0, 0, 0xcc};
  Endpoint source_;
  Endpoint destination_;
  uint8_t protocol_ = 6;
  uint8_t flags_ = 16;
  uint8_t tos_ = 0;
  uint8_t ttl_ = 63;
  uint16_t fragment_ = 0;
  size_t payload_ = 0;
  size_t padding_ = 0;
  bool is_v6_ = false;
};

}  // namespace maglb::testing
