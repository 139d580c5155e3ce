#include "lib/lb/rewrite.h"

#include "lib/lb/icmp_error.h"

namespace maglb {
namespace {

// An ICMP error is about a packet that was dropped; it is never sent about one that came from or goes
// to an address that is no single host's (RFC 1812 4.3.2.7).
bool may_be_answered(const ParsedFrame& parsed, const Packet& packet) {
  const IpAddress& source = parsed.key.source;
  return !parsed.is_v6 && !source.is_unspecified() && !source.is_multicast() && !source.is_loopback() &&
         source.bytes[12] < 240 && !header_at<EthernetHeader>(packet.data).source.is_multicast();
}

}  // namespace

void answer_too_big(Batch& batch, size_t i, WorkerContext& worker, uint16_t mtu, Time now) {
  Packet& packet = batch.packets[i];
  const ParsedFrame& parsed = batch.notes[i].parsed;
  drop(batch, i, worker, DropReason::kTooBig);
  if (!may_be_answered(parsed, packet) ||
      !header_at<Ipv4Header>(packet.data + parsed.l3_offset).dont_fragment()) {
    return;
  }
  if (!worker.icmp_budget.take(worker.flow_key, parsed.key.source, now)) {
    worker.counters.count(Event::kIcmpSuppressed);
    return;
  }
  become_fragmentation_needed(packet, parsed, mtu);
  worker.counters.originated.add(1);
  batch.verdicts[i] = Verdict::kSend;
  batch.out_ports[i] = packet.in_port;
}

}  // namespace maglb
