#include "lib/lb/tunnel_error.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "lib/lb/decide.h"
#include "lib/lb/known_backend.h"
#include "lib/lb/schedule.h"
#include "lib/net/icmp_message.h"
#include "lib/net/icmp_quote.h"

namespace maglb {
namespace {

constexpr uint32_t kIpv4LeastMtu = 68;    // RFC 791, 3.2
constexpr uint32_t kIpv6LeastMtu = 1280;  // RFC 8200, 5

// What of the error's IP packet is at hand.
std::span<uint8_t> ip_of(const Batch& batch, size_t i) {
  const ParsedFrame& parsed = batch.notes[i].parsed;
  const Packet& packet = batch.packets[i];
  const size_t at_hand = packet.is_segmented != 0 ? size_t{kSegmentHead} - parsed.l3_offset : SIZE_MAX;
  return {packet.data + parsed.l3_offset, std::min<size_t>(at_hand, parsed.l3_length)};
}

// `outer`: of the quoted outer packet, reversed.
bool is_tunnel_of(const ServiceView& service, const ServiceExtra& extra, const FlowKey& outer,
                  bool inner_v6) {
  const auto protocol = static_cast<uint8_t>(outer.protocol);
  switch (service.forward) {
    case ForwardMode::kIpip:
      return protocol == (inner_v6 ? kProtocolIpv6 : kProtocolIpip);
    case ForwardMode::kGre:
      return protocol == kProtocolGre;
    case ForwardMode::kGue:
      return protocol == kProtocolUdp && outer.source_port.host() == extra.gue_port;
    default:
      return false;
  }
}

bool is_nothing_but_a_tunnel(const FlowKey& outer) {
  const auto protocol = static_cast<uint8_t>(outer.protocol);
  return protocol == kProtocolIpip || protocol == kProtocolIpv6 || protocol == kProtocolGre;
}

// The flow's backend, if we would send its packets to whom the outer packet was for, in such a tunnel.
std::optional<KnownBackend> backend_of_ours(const FlowKey& flow, bool inner_v6, const FlowKey& outer,
                                            const Snapshot& snapshot, WorkerContext& worker, Time now) {
  const ServiceView* service = snapshot.services().find(flow);
  if (service == nullptr || !is_tunnel_of(*service, snapshot.services().extra(*service), outer, inner_v6)) {
    return std::nullopt;
  }
  const PoolView& pool = *snapshot.pool_of(*service);
  const FlowDigest digest = worker.flow_hash.digest(flow, service->id);
  const KnownBackend known = known_backend(flow, digest, *service, pool, worker, now);
  return known.backend != nullptr && known.backend->address == outer.source ? std::optional(known)
                                                                            : std::nullopt;
}

void note_refusal(const IcmpQuote& error, bool is_v6, const KnownBackend& known, WorkerContext& worker) {
  if (is_unreachable(error.type, error.code, is_v6) && known.entry &&
      known.entry->state == FlowState::kOpening && worker.scheduling != nullptr) {
    worker.scheduling->flows.signal(known.entry->backend, Signal::kRefused);
  }
}

bool is_single_host(const IpAddress& address) {
  return !address.is_unspecified() && !address.is_multicast() && !address.is_loopback() &&
         !(address.is_v4() && address.bytes[12] >= 240);
}

// What the client may send; nothing if it cannot be helped.
std::optional<uint32_t> mtu_for(const IcmpQuote& error, const TunnelQuote& inner) {
  const uint32_t overhead = inner.offset - uint32_t{error.offset};
  if (error.mtu <= overhead) {
    return std::nullopt;
  }
  const uint32_t mtu = error.mtu - overhead;
  if (inner.is_v6) {
    return std::max(mtu, kIpv6LeastMtu);
  }
  return mtu >= kIpv4LeastMtu ? std::optional(mtu) : std::nullopt;
}

// The packet becomes the error for the client.
void become_error_for_client(Packet& packet, std::span<uint8_t> ip, const TunnelQuote& inner, uint32_t mtu) {
  const size_t behind = packet.is_segmented != 0 ? 0 : packet.data + packet.length - (ip.data() + ip.size());
  const size_t room = ip.size() + behind + (packet.is_segmented != 0 ? 0 : packet.tailroom);
  const size_t written = write_too_big({inner.key.destination, inner.key.source, mtu},
                                       ip.subspan(inner.offset), {ip.data(), room});
  auto& ethernet = header_at<EthernetHeader>(packet.data);
  std::swap(ethernet.destination, ethernet.source);
  // The last field in front of the packet, with tags or without. The client's family may be another.
  const Be16 type(inner.is_v6 ? kEtherTypeIpv6 : kEtherTypeIpv4);
  std::memcpy(ip.data() - sizeof type, &type, sizeof type);
  packet.length = static_cast<uint16_t>(ip.data() - packet.data + static_cast<ptrdiff_t>(written));
}

void tell_client(Batch& batch, size_t i, std::span<uint8_t> ip, const TunnelQuote& inner,
                 WorkerContext& worker, Time now) {
  Packet& packet = batch.packets[i];
  const auto mtu = mtu_for(icmp_quote(ip), inner);
  if (!mtu || !is_single_host(inner.key.source) ||
      header_at<EthernetHeader>(packet.data).source.is_multicast()) {
    return;
  }
  if (!worker.icmp_budget.take(worker.flow_key, inner.key.source, now)) {
    worker.counters.count(Event::kIcmpSuppressed);
    return;
  }
  become_error_for_client(packet, ip, inner, *mtu);
  worker.counters.originated.add(1);
  worker.counters.count(Event::kTunnelErrorsTold);
  batch.verdicts[i] = Verdict::kSend;
  batch.out_ports[i] = packet.in_port;
}

}  // namespace

bool take_tunnel_error(Batch& batch, size_t i, const Snapshot& snapshot, WorkerContext& worker, Time now) {
  const ParsedFrame& parsed = batch.notes[i].parsed;
  const std::span<uint8_t> ip = ip_of(batch, i);
  const auto inner = tunnel_quote(ip, parsed.key.source_port.host());
  const auto ours =
      inner ? backend_of_ours(inner->key, inner->is_v6, parsed.key, snapshot, worker, now) : std::nullopt;
  if (!ours && !is_nothing_but_a_tunnel(parsed.key)) {
    return false;
  }
  worker.counters.count(Event::kTunnelErrors);
  drop(batch, i, worker, DropReason::kTunnelError);
  if (ours) {
    note_refusal(icmp_quote(ip), parsed.is_v6, *ours, worker);
    tell_client(batch, i, ip, *inner, worker, now);
  }
  return true;
}

}  // namespace maglb
