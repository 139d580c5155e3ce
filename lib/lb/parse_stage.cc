#include "lib/lb/parse_stage.h"

#include <algorithm>

#include "lib/lb/decide.h"

namespace maglb {
namespace {

bool for_this_port(const Packet& packet, const PortView& port) {
  const MacAddress& destination = header_at<EthernetHeader>(packet.data).destination;
  return port.any_mac ? !destination.is_multicast() : destination == port.mac;
}

// The bytes that may be read as they lie.
std::span<const uint8_t> head_of(const Packet& packet) {
  return {packet.data, packet.is_segmented != 0 ? kSegmentHead : packet.length};
}

}  // namespace

std::optional<uint8_t> link_of(const ParsedFrame& parsed, const Packet& packet, const WorkerContext& worker) {
  if (parsed.vlan_outer == 0 && parsed.vlan_inner == 0) {
    return packet.in_port;
  }
  // One tag is a link's inner one, the one next to the packet.
  const bool two = parsed.vlan_inner != 0;
  const uint16_t inner = two ? parsed.vlan_inner : parsed.vlan_outer;
  const uint16_t outer = two ? parsed.vlan_outer : uint16_t{0};
  const auto at = std::find_if(worker.ports.begin(), worker.ports.end(), [&](const PortView& link) {
    return link.vlan_inner == inner && link.vlan_outer == outer && link.port == packet.in_port;
  });
  return at == worker.ports.end() ? std::nullopt
                                  : std::optional(static_cast<uint8_t>(at - worker.ports.begin()));
}

void parse_uncommon(Batch& batch, size_t i, WorkerContext& worker) {
  if (batch.verdicts[i] != Verdict::kPending) {
    return;
  }
  const Packet& packet = batch.packets[i];
  ParsedFrame& parsed = batch.notes[i].parsed;
  parsed = ParsedFrame{};
  if (packet.length >= sizeof(EthernetHeader) && !for_this_port(packet, worker.ports[packet.in_port])) {
    batch.verdicts[i] = Verdict::kKernel;
    return;
  }
  const ParseStatus status = parse_frame(head_of(packet), packet.length, parsed);
  if (!link_of(parsed, packet, worker)) {
    batch.verdicts[i] = Verdict::kKernel;
    return;
  }
  switch (status) {
    case ParseStatus::kPacket:
      return;
    case ParseStatus::kOther:
      batch.verdicts[i] = Verdict::kKernel;
      return;
    case ParseStatus::kTruncated:
      return drop(batch, i, worker, DropReason::kTruncated);
    case ParseStatus::kBadIpHeader:
      return drop(batch, i, worker, DropReason::kBadIpHeader);
    case ParseStatus::kBadIpChecksum:
      return drop(batch, i, worker, DropReason::kBadIpChecksum);
    case ParseStatus::kBadL4Header:
      return drop(batch, i, worker, DropReason::kBadL4Header);
    case ParseStatus::kTinyFragment:
      return drop(batch, i, worker, DropReason::kTinyFragment);
    case ParseStatus::kTooManyHeaders:
      return drop(batch, i, worker, DropReason::kExtensionHeaders);
  }
}

}  // namespace maglb
