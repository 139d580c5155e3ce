#include "lib/net/prefix.h"

#include <algorithm>
#include <charconv>

namespace maglb {

IpAddress masked(const IpAddress& address, uint8_t length) {
  IpAddress cut;
  for (size_t i = 0; i < cut.bytes.size(); ++i) {
    const int kept = std::clamp(length - static_cast<int>(i) * 8, 0, 8);
    cut.bytes[i] = static_cast<uint8_t>(address.bytes[i] & (0xff00u >> kept));
  }
  return cut;
}

Result<IpPrefix> IpPrefix::parse(std::string_view text) {
  const size_t slash = text.find('/');
  auto address = IpAddress::parse(text.substr(0, slash));
  if (!address) {
    return fail(ErrorKind::kInvalid, "'" + std::string(text) + "' is not a prefix like 10.0.0.0/24");
  }
  IpPrefix prefix(*address);
  if (slash == std::string_view::npos) {
    return prefix;
  }
  const std::string_view digits = text.substr(slash + 1);
  const bool as_v4 = text.substr(0, slash).find(':') == std::string_view::npos;
  const uint8_t most = as_v4 ? kBits - kV4Offset : kBits;
  unsigned length = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
  if (error != std::errc() || end != digits.data() + digits.size() || length > most) {
    return fail(ErrorKind::kInvalid, "'" + std::string(text) + "' has no length in 0.." +
                                         std::to_string(most) + " behind its slash");
  }
  prefix.length = static_cast<uint8_t>(length + (as_v4 ? kV4Offset : 0));
  const IpAddress first = masked(prefix.address, prefix.length);
  if (first != prefix.address) {
    const IpPrefix meant{first, prefix.length};
    return fail(ErrorKind::kInvalid,
                "'" + std::string(text) + "' has bits set beyond its length: " +
                    (prefix.is_v4() ? meant.to_string() : first.to_string() + "/" + std::string(digits)) +
                    " is the prefix");
  }
  return prefix;
}

bool IpPrefix::contains(const IpAddress& other) const {
  return other.is_v4() == is_v4() && masked(other, length) == address;
}

std::string IpPrefix::to_string() const {
  return address.to_string() + "/" + std::to_string(text_length());
}

}  // namespace maglb
