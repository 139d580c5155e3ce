#include "lib/net/address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cctype>
#include <cstdio>

#include "lib/base/hex.h"

namespace maglb {

Result<IpAddress> IpAddress::parse(std::string_view text) {
  const std::string copy(text);
  if (copy.find('\0') == std::string::npos) {
    std::array<uint8_t, 4> four;
    if (inet_pton(AF_INET, copy.c_str(), four.data()) == 1) {
      return v4(four);
    }
    IpAddress six;
    if (inet_pton(AF_INET6, copy.c_str(), six.bytes.data()) == 1) {
      return six;
    }
  }
  return fail(ErrorKind::kInvalid, "'" + copy + "' is not an IP address");
}

bool IpAddress::is_unspecified() const {
  const auto from = bytes.begin() + (is_v4() ? 12 : 0);
  return std::all_of(from, bytes.end(), [](uint8_t b) { return b == 0; });
}

bool IpAddress::is_multicast() const {
  return is_v4() ? (bytes[12] & 0xf0) == 0xe0 : bytes[0] == 0xff;
}

bool IpAddress::is_loopback() const {
  if (is_v4()) {
    return bytes[12] == 127;
  }
  return std::all_of(bytes.begin(), bytes.end() - 1, [](uint8_t b) { return b == 0; }) && bytes[15] == 1;
}

std::string IpAddress::to_string() const {
  char text[INET6_ADDRSTRLEN];
  if (is_v4()) {
    return inet_ntop(AF_INET, bytes.data() + 12, text, sizeof text);
  }
  return inet_ntop(AF_INET6, bytes.data(), text, sizeof text);
}

Result<MacAddress> MacAddress::parse(std::string_view text) {
  MacAddress mac;
  bool good = text.size() == 17;
  for (size_t i = 0; good && i < 6; ++i) {
    const int high = hex_digit(text[3 * i]);
    const int low = hex_digit(text[3 * i + 1]);
    good = high >= 0 && low >= 0 && (i == 5 || text[3 * i + 2] == ':');
    mac.bytes[i] = static_cast<uint8_t>(good ? high * 16 + low : 0);
  }
  if (!good) {
    return fail(ErrorKind::kInvalid, "'" + std::string(text) + "' is not a MAC address");
  }
  return mac;
}

std::string MacAddress::to_string() const {
  char text[18];
  std::snprintf(text, sizeof text, "%02x:%02x:%02x:%02x:%02x:%02x", bytes[0], bytes[1], bytes[2], bytes[3],
                bytes[4], bytes[5]);
  return text;
}

std::string_view to_string(Protocol protocol) {
  switch (protocol) {
    case Protocol::kAny:
      return "any";
    case Protocol::kTcp:
      return "tcp";
    case Protocol::kUdp:
      return "udp";
  }
  return "?";
}

}  // namespace maglb
