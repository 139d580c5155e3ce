#include "lib/net/quic.h"

#include <algorithm>

#include "lib/net/wire.h"

namespace maglb {
namespace {

constexpr uint8_t kLongHeader = 0x80;
constexpr size_t kVersion = 1;
constexpr size_t kIdLength = 5;
constexpr size_t kLongId = 6;
constexpr size_t kShortId = 1;

const QuicLbConfig* config_of(uint8_t first_octet, std::span<const QuicLbConfig> configs) {
  // 0b111 needs no check of its own: no valid configuration has it.
  const auto found = std::find_if(configs.begin(), configs.end(), [&](const QuicLbConfig& config) {
    return config.id == first_octet >> 5 && config.valid();
  });
  return found == configs.end() ? nullptr : &*found;
}

}  // namespace

std::optional<QuicPacket> parse_quic(std::span<const uint8_t> payload) {
  if (payload.empty()) {
    return std::nullopt;
  }
  if ((payload[0] & kLongHeader) == 0) {
    const auto behind = payload.subspan(kShortId);
    return QuicPacket{false, 0, behind.first(std::min<size_t>(behind.size(), kQuicLongestId))};
  }
  if (payload.size() < kLongId || payload[kIdLength] > kQuicLongestId ||
      payload.size() - kLongId < payload[kIdLength]) {
    return std::nullopt;
  }
  return QuicPacket{true, header_at<Be32>(payload.data() + kVersion).host(),
                    payload.subspan(kLongId, payload[kIdLength])};
}

std::optional<ServerId> server_id_of(std::span<const uint8_t> payload,
                                     std::span<const QuicLbConfig> configs) {
  const auto packet = parse_quic(payload);
  if (!packet || packet->destination_id.empty()) {
    return std::nullopt;
  }
  const auto id = packet->destination_id;
  const QuicLbConfig* const config = config_of(id[0], configs);
  if (config == nullptr || id.size() < config->length()) {
    return std::nullopt;
  }
  ServerId server;
  server.length = config->server_id_length;
  std::copy_n(id.begin() + 1, server.length, server.bytes.begin());
  return server;
}

}  // namespace maglb
