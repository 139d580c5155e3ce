#include "lib/lb/parse_stage.h"

#include "lib/lb/decide.h"

namespace maglb {
namespace {

bool for_this_port(const Packet& packet, const PortView& port) {
  const MacAddress& destination = header_at<EthernetHeader>(packet.data).destination;
  return port.any_mac ? !destination.is_multicast() : destination == port.mac;
}

}  // namespace

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
  const ParseStatus status = parse_frame({packet.data, packet.length}, parsed);
  if (parsed.l3_offset != sizeof(EthernetHeader)) {  // tagged frames are the kernel's, whatever they hold
    batch.verdicts[i] = Verdict::kKernel;
    return;
  }
  switch (status) {
    case ParseStatus::kPacket:
      if (parsed.kind != PacketKind::kFlow && parsed.kind != PacketKind::kFragment) {
        batch.verdicts[i] = Verdict::kKernel;
      }
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
