#include "lib/lb/rewrite.h"

#include <cstring>

#include "lib/lb/decide.h"
#include "lib/lb/icmp_error.h"
#include "lib/lb/ipip.h"
#include "lib/net/wire.h"

namespace maglb {
namespace {

void send(Batch& batch, uint32_t i, uint8_t port) {
  batch.verdicts[i] = Verdict::kSend;
  batch.out_ports[i] = port;
}

// An ICMP error is about a packet that was dropped; it is never sent about one that came from or goes
// to an address that is no single host's (RFC 1812 4.3.2.7).
bool may_be_answered(const ParsedFrame& parsed, const Packet& packet) {
  const IpAddress& source = parsed.key.source;
  return !source.is_unspecified() && !source.is_multicast() && !source.is_loopback() &&
         source.bytes[12] < 240 && !header_at<EthernetHeader>(packet.data).source.is_multicast();
}

[[gnu::noinline]] void answer_too_big(Batch& batch, uint32_t i, WorkerContext& worker, uint16_t mtu,
                                      Time now) {
  Packet& packet = batch.packets[i];
  const ParsedFrame& parsed = batch.parsed[i];
  drop(batch, i, worker, DropReason::kTooBig);
  const bool dont_fragment = header_at<Ipv4Header>(packet.data + parsed.l3_offset).dont_fragment();
  if (!dont_fragment || !may_be_answered(parsed, packet)) {
    return;
  }
  if (!worker.icmp_budget.take(worker.flow_key, parsed.key.source, now)) {
    worker.counters.count(Event::kIcmpSuppressed);
    return;
  }
  become_fragmentation_needed(packet, parsed, mtu);
  worker.counters.originated.add(1);
  send(batch, i, packet.in_port);
}

// A frame without what Ethernet padded it with, its addresses ours and the next hop's.
void readdress(Packet& packet, const ParsedFrame& parsed, const PortView& port, const MacAddress& next_hop) {
  auto& ethernet = header_at<EthernetHeader>(packet.data);
  ethernet.source = port.any_mac ? ethernet.destination : port.mac;
  ethernet.destination = next_hop;
  packet.length = static_cast<uint16_t>(parsed.l3_offset + parsed.l3_length);
}

void prepend_ipip(Packet& packet, const ParsedFrame& parsed, const Be32& source, const Be32& destination,
                  uint16_t id) {
  const EthernetHeader ethernet = header_at<EthernetHeader>(packet.data);
  const uint8_t* inner = packet.data + parsed.l3_offset;
  const Ipv4Header outer = ipip_header(header_at<Ipv4Header>(inner), source, destination, id);
  packet.data -= kIpipOverhead;
  packet.headroom = static_cast<uint16_t>(packet.headroom - kIpipOverhead);
  packet.length = static_cast<uint16_t>(packet.length + kIpipOverhead);
  std::memcpy(packet.data, &ethernet, sizeof ethernet);
  std::memcpy(packet.data + sizeof ethernet, &outer, sizeof outer);
}

void count_backend(const Batch& batch, uint32_t i, WorkerContext& worker) {
  TrafficCounters& counters = worker.counters.backends[batch.backends[i]->counter];
  counters.packets.add(1);
  counters.bytes.add(batch.parsed[i].l3_length);
}

void rewrite_one(Batch& batch, uint32_t i, WorkerContext& worker, Time now) {
  const BackendView& backend = *batch.backends[i];
  const ParsedFrame& parsed = batch.parsed[i];
  Packet& packet = batch.packets[i];
  const bool tunnel = batch.services[i]->forward == ForwardMode::kIpip;

  if (tunnel && !worker.tunnel_source.is_v4()) [[unlikely]] {
    return drop(batch, i, worker, DropReason::kNoTunnelSource);
  }
  const auto next_hop = worker.next_hops.get(tunnel ? backend.next_hop_routed : backend.next_hop_direct);
  if (!next_hop || next_hop->port >= worker.ports.size()) {
    return drop(batch, i, worker, DropReason::kNoNextHop);
  }
  const PortView& port = worker.ports[next_hop->port];
  const auto mtu = static_cast<uint16_t>(port.mtu - (tunnel ? kIpipOverhead : 0));
  if (parsed.l3_length > mtu) [[unlikely]] {
    return answer_too_big(batch, i, worker, mtu, now);
  }
  if (tunnel && packet.headroom < kIpipOverhead) [[unlikely]] {
    return drop(batch, i, worker, DropReason::kNoHeadroom);
  }
  readdress(packet, parsed, port, next_hop->mac);
  if (tunnel) {
    const bool fragmentable = !header_at<Ipv4Header>(packet.data + parsed.l3_offset).dont_fragment();
    prepend_ipip(packet, parsed, worker.tunnel_source.to_v4(), backend.address.to_v4(), worker.next_ip_id);
    worker.next_ip_id = static_cast<uint16_t>(worker.next_ip_id + (fragmentable ? 1 : 0));
  }
  count_backend(batch, i, worker);
  send(batch, i, next_hop->port);
}

}  // namespace

void rewrite(Batch& batch, WorkerContext& worker, Time now) {
  for (uint32_t i = 0; i < batch.size; ++i) {
    if (batch.verdicts[i] == Verdict::kPending) {
      rewrite_one(batch, i, worker, now);
    }
  }
}

}  // namespace maglb
