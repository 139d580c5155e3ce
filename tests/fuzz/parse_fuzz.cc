// One frame: whatever it holds, what parse_frame() says of it lies within it.
#include <cstdlib>
#include <memory>

#include "lib/net/parse.h"
#include "lib/net/wire.h"

namespace maglb {
namespace {

void require(bool holds) {
  if (!holds) {
    std::abort();
  }
}

void fuzz(std::span<const uint8_t> frame) {
  ParsedFrame parsed;
  const ParseStatus status = parse_frame(frame, parsed);
  ParsedFrame common;
  if (frame.size() <= UINT16_MAX && parse_common(frame.data(), static_cast<uint16_t>(frame.size()), common)) {
    require(status == ParseStatus::kFlow && common.key == parsed.key && common.l3_offset == parsed.l3_offset);
    require(common.l3_length == parsed.l3_length && common.tcp_flags == parsed.tcp_flags);
    require(common.is_v6 == parsed.is_v6 && common.is_fragment == parsed.is_fragment);
  }
  if (status != ParseStatus::kFlow && status != ParseStatus::kFragment) {
    return;
  }
  require(parsed.l3_offset == sizeof(EthernetHeader));
  require(size_t{parsed.l3_offset} + parsed.l3_length <= frame.size());
  if (parsed.is_v6) {
    const auto& ip = header_at<Ipv6Header>(frame.data() + parsed.l3_offset);
    require(status == ParseStatus::kFlow && ip.version() == 6);
    require(parsed.l3_length == sizeof(Ipv6Header) + ip.payload_length.host());
    require(ip.payload_length.host() >= sizeof(UdpHeader));
    require(parsed.key.source == ip.source && parsed.key.destination == ip.destination);
    require(!ip.source.is_v4() && !ip.destination.is_v4());
    return;
  }
  const auto& ip = header_at<Ipv4Header>(frame.data() + parsed.l3_offset);
  require(parsed.l3_length >= ip.length_bytes() && ip.length_bytes() >= sizeof(Ipv4Header));
  require(ip.is_fragment() == (status == ParseStatus::kFragment));
  require(parsed.key.source.is_v4() && parsed.key.source.to_v4() == ip.source);
  if (status == ParseStatus::kFlow) {
    require(parsed.l3_length >= ip.length_bytes() + sizeof(UdpHeader));
  }
}

}  // namespace
}  // namespace maglb

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // A copy of exactly its size, so that a byte read beside it is seen.
  const auto copy = std::make_unique<uint8_t[]>(size + 1);
  std::copy(data, data + size, copy.get() + 1);
  maglb::fuzz({copy.get() + 1, size});
  return 0;
}
