// Stage 4: the frame as it leaves. The inner packet is delivered bit for bit.
//
// rewrite() does what nearly every packet of an ipip or l2 service needs, and leaves all else to
// rewrite_uncommon(): other tunnels, links with VLAN tags, packets that are too big.
#pragma once

#include "lib/lb/batch.h"
#include "lib/lb/decide.h"
#include "lib/lb/tunnel.h"
#include "lib/lb/worker_context.h"
#include "lib/net/wire.h"

namespace maglb {

// Every way to send but nat, for any packet. REQUIRES: the notes name service, backend and digest.
void rewrite_uncommon(Batch& batch, size_t i, const Snapshot& snapshot, WorkerContext& worker, Time now);

namespace rewrite_detail {

// Addresses as MacAddress::word(), so that the frame is written in whole words.
inline void write_ethernet(uint8_t* out, uint64_t destination, uint64_t source, bool is_v6) {
  constexpr uint16_t kV4 = __builtin_bswap16(kEtherTypeIpv4);
  constexpr uint16_t kV6 = __builtin_bswap16(kEtherTypeIpv6);
  store_le(out, destination | source << 48);
  store_le(out + 8, static_cast<uint32_t>(source >> 16));
  store_le(out + 12, is_v6 ? kV6 : kV4);
}

// REQUIRES: tunnel_overhead(kOuterV6) writable bytes in front of the packet.
template <bool kInnerV6, bool kOuterV6>
inline void write_outer(const uint8_t* ip, const Batch::Notes& notes, const OuterV4& outer_v4,
                        WorkerContext& worker, uint8_t* outer) {
  const InnerFacts inner = inner_facts<kInnerV6>(ip, notes.parsed.l3_length);
  const uint64_t flow = notes.digest.identity;
  const IpAddress& to = notes.backend->address;
  if constexpr (kOuterV6) {
    write_outer_v6(outer, inner, flow, worker.tunnel_source_v6, to);
  } else {
    outer_v4.write(outer, inner, flow, to, worker.next_ip_id);
    worker.next_ip_id = static_cast<uint16_t>(worker.next_ip_id + (inner.dont_fragment ? 0 : 1));
  }
}

// One body for every way to send; compiled for each, so that none asks what it is at every step.
template <bool kTunnel, bool kInnerV6, bool kOuterV6>
inline void rewrite_as(Batch& batch, size_t i, const OuterV4& outer, const Snapshot& snapshot,
                       WorkerContext& worker, Time now) {
  constexpr uint16_t kOverhead = kTunnel ? tunnel_overhead(kOuterV6) : 0;
  const BackendView& backend = *batch.notes[i].backend;
  const ParsedFrame& parsed = batch.notes[i].parsed;
  Packet& packet = batch.packets[i];
  if (kTunnel && !worker.own_source(kOuterV6).present()) [[unlikely]] {
    return drop(batch, i, worker, DropReason::kNoTunnelSource);
  }
  const auto next_hop = worker.next_hops.word(kTunnel ? backend.next_hop_routed : backend.next_hop_direct);
  if (!next_hop.is_resolved() || next_hop.port() >= worker.ports.size()) [[unlikely]] {
    return drop(batch, i, worker, DropReason::kNoNextHop);
  }
  const PortView& port = worker.ports[next_hop.port()];
  const uint32_t length = uint32_t{parsed.l3_length} + kOverhead;
  if (length > port.plain_mtu()) [[unlikely]] {
    return rewrite_uncommon(batch, i, snapshot, worker, now);
  }
  if (packet.headroom < kOverhead) [[unlikely]] {
    return drop(batch, i, worker, DropReason::kNoHeadroom);
  }
  // In replay, which has no MAC address, the one that the frame was sent to.
  const uint64_t source =
      port.any_mac ? header_at<EthernetHeader>(packet.data).destination.word() : port.word() & 0xffffffffffff;
  const uint8_t* const ip = packet.data + parsed.l3_offset;
  uint8_t* const data = packet.data + parsed.l3_offset - (sizeof(EthernetHeader) + kOverhead);
  packet.data = data;
  packet.headroom =
      static_cast<uint16_t>(packet.headroom + parsed.l3_offset - sizeof(EthernetHeader) - kOverhead);
  packet.length = static_cast<uint16_t>(sizeof(EthernetHeader) + length);
  worker.counters.backends[backend.counter].count(parsed.l3_length);
  batch.out_ports[i] = next_hop.port();
  batch.verdicts[i] = Verdict::kSend;
  if constexpr (kTunnel) {
    write_outer<kInnerV6, kOuterV6>(ip, batch.notes[i], outer, worker, data + sizeof(EthernetHeader));
  }
  write_ethernet(data, next_hop.mac(), source, kOuterV6);
}

}  // namespace rewrite_detail

// A packet that would exceed the egress MTU is not sent. What Ethernet padded it with goes.
// `outer`: of the worker's tunnel source. REQUIRES: track() has named the backend.
inline void rewrite(Batch& batch, size_t i, const OuterV4& outer, const Snapshot& snapshot,
                    WorkerContext& worker, Time now) {
  using rewrite_detail::rewrite_as;
  const bool inner_v6 = batch.notes[i].parsed.is_v6;
  const ForwardMode mode = batch.notes[i].service->forward;
  if (mode != ForwardMode::kIpip) {
    if (mode != ForwardMode::kL2) [[unlikely]] {
      return rewrite_uncommon(batch, i, snapshot, worker, now);
    }
    return inner_v6 ? rewrite_as<false, true, true>(batch, i, outer, snapshot, worker, now)
                    : rewrite_as<false, false, false>(batch, i, outer, snapshot, worker, now);
  }
  if (batch.notes[i].backend->address.is_v4()) {
    return inner_v6 ? rewrite_as<true, true, false>(batch, i, outer, snapshot, worker, now)
                    : rewrite_as<true, false, false>(batch, i, outer, snapshot, worker, now);
  }
  return inner_v6 ? rewrite_as<true, true, true>(batch, i, outer, snapshot, worker, now)
                  : rewrite_as<true, false, true>(batch, i, outer, snapshot, worker, now);
}

}  // namespace maglb
