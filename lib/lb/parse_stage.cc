#include "lib/lb/parse_stage.h"

#include "lib/lb/decide.h"
#include "lib/net/wire.h"

namespace maglb {
namespace {

bool for_this_port(const Packet& packet, const PortView& port) {
  const MacAddress& destination = header_at<EthernetHeader>(packet.data).destination;
  return port.any_mac ? !destination.is_multicast() : destination == port.mac;
}

void parse_one(Batch& batch, uint32_t i, WorkerContext& worker) {
  const Packet& packet = batch.packets[i];
  ParsedFrame& parsed = batch.parsed[i];
  parsed = ParsedFrame{};
  if (packet.length >= sizeof(EthernetHeader) && !for_this_port(packet, worker.ports[packet.in_port])) {
    batch.verdicts[i] = Verdict::kKernel;
    return;
  }
  switch (parse_frame({packet.data, packet.length}, parsed)) {
    case ParseStatus::kFlow:
    case ParseStatus::kFragment:
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
  }
}

}  // namespace

void parse(Batch& batch, WorkerContext& worker) {
  for (uint32_t i = 0; i < batch.size; ++i) {
    __builtin_prefetch(batch.packets[i].data);
  }
  for (uint32_t i = 0; i < batch.size; ++i) {
    if (batch.verdicts[i] == Verdict::kPending) {
      parse_one(batch, i, worker);
    }
  }
}

}  // namespace maglb
