#include "lib/lb/rewrite.h"

#include "lib/lb/egress.h"
#include "lib/lb/too_big.h"

namespace maglb {
namespace {

constexpr size_t kAddressBytes = 2 * sizeof(MacAddress);
constexpr size_t kTagBytes = 4;

void write_tag(uint8_t* out, uint16_t type, uint16_t id) {
  const Be16 words[2] = {Be16(type), Be16(id)};
  std::memcpy(out, words, sizeof words);
}

// Ethernet and the link's tags in front of `ip`. Returns where the frame begins.
uint8_t* write_link_header(uint8_t* ip, const PortView& link, uint64_t destination, uint64_t source,
                           bool is_v6) {
  uint8_t* const frame = ip - link_bytes(link);
  rewrite_detail::write_ethernet(frame, destination, source, is_v6);
  uint8_t* tag = frame + kAddressBytes;
  if (link.vlan_outer != 0) {
    write_tag(tag, kEtherTypeOuterVlan, link.vlan_outer);
    tag += kTagBytes;
  }
  if (link.vlan_inner != 0) {
    write_tag(tag, kEtherTypeVlan, link.vlan_inner);
    tag += kTagBytes;
  }
  const Be16 type(is_v6 ? kEtherTypeIpv6 : kEtherTypeIpv4);
  std::memcpy(tag, &type, sizeof type);
  return frame;
}

// Whether the outer header of the packet at `ip` takes an identification of its own: as OuterV4 writes it.
bool needs_id(const uint8_t* ip, bool outer_v6) {
  return !outer_v6 && ip[0] >> 4 == 4 && !header_at<Ipv4Header>(ip).dont_fragment();
}

}  // namespace

std::optional<Egress> egress_of(const Batch& batch, size_t i, const Snapshot& snapshot,
                                const WorkerContext& worker, DropReason& why_not) {
  const Batch::Notes& notes = batch.notes[i];
  const BackendView& backend = *notes.backend;
  Egress egress{notes.service->forward, snapshot.services().extra(*notes.service)};
  egress.is_tunnel = is_tunnel(egress.mode);
  egress.outer_v6 = egress.is_tunnel ? !backend.address.is_v4() : notes.parsed.is_v6;
  if (egress.is_tunnel && !worker.own_source(egress.outer_v6).present()) {
    why_not = DropReason::kNoTunnelSource;
    return std::nullopt;
  }
  const auto next_hop =
      worker.next_hops.word(needs_neighbour(egress.mode) ? backend.next_hop_direct : backend.next_hop_routed);
  if (!next_hop.is_resolved() || next_hop.port() >= worker.ports.size()) {
    why_not = DropReason::kNoNextHop;
    return std::nullopt;
  }
  egress.link = next_hop.port();
  egress.mac = next_hop.mac();
  egress.overhead = egress.is_tunnel ? egress.encapsulation().bytes() : uint16_t{0};
  return egress;
}

size_t link_bytes(const PortView& link) {
  return sizeof(EthernetHeader) + (link.vlan_outer != 0 ? kTagBytes : 0) +
         (link.vlan_inner != 0 ? kTagBytes : 0);
}

uint64_t source_mac(const Packet& packet, const PortView& link) {
  // In replay, which has no MAC address, the one that the frame was sent to.
  return link.any_mac ? header_at<EthernetHeader>(packet.data).destination.word()
                      : link.word() & 0xffffffffffff;
}

uint8_t* encapsulate(std::span<uint8_t> ip, const Batch::Notes& notes, const Egress& egress,
                     WorkerContext& worker, bool may_be_cut) {
  if (egress.is_tunnel) {
    egress.encapsulation(may_be_cut)
        .write(ip, notes.parsed.is_v6, notes.digest.identity, worker.own_source(egress.outer_v6),
               notes.backend->address, worker.next_ip_id);
    const bool takes_id = needs_id(ip.data(), egress.outer_v6) || may_be_cut;
    worker.next_ip_id = static_cast<uint16_t>(worker.next_ip_id + (takes_id ? 1 : 0));
  }
  return ip.data() - egress.overhead;
}

void put_on_link(Packet& packet, uint8_t* ip, size_t length, const Egress& egress, const PortView& link,
                 uint64_t source, uint8_t& out_port) {
  uint8_t* const frame = write_link_header(ip, link, egress.mac, source, egress.outer_v6);
  packet.headroom = static_cast<uint16_t>(packet.headroom + (frame - packet.data));
  packet.data = frame;
  packet.length = static_cast<uint16_t>(link_bytes(link) + length);
  out_port = link.vlan_inner == 0 ? egress.link : link.port;
}

bool send_packet(Packet& packet, uint8_t* ip, uint16_t length, const Batch::Notes& notes,
                 const Egress& egress, WorkerContext& worker, uint8_t& out_port) {
  const PortView& link = worker.ports[egress.link];
  if (static_cast<size_t>(ip - packet.data) + packet.headroom < link_bytes(link) + egress.overhead) {
    return false;
  }
  const uint64_t source = source_mac(packet, link);
  uint8_t* const outer = encapsulate({ip, length}, notes, egress, worker, false);
  put_on_link(packet, outer, size_t{egress.overhead} + length, egress, link, source, out_port);
  return true;
}

void rewrite_uncommon(Batch& batch, size_t i, const Snapshot& snapshot, WorkerContext& worker, Time now) {
  const Batch::Notes& notes = batch.notes[i];
  Packet& packet = batch.packets[i];
  DropReason why_not{};
  const auto egress = egress_of(batch, i, snapshot, worker, why_not);
  if (!egress) {
    return drop(batch, i, worker, why_not);
  }
  const uint16_t length = notes.parsed.l3_length;
  if (uint32_t{length} + egress->overhead > worker.ports[egress->link].mtu) {
    return handle_too_big(batch, i, *egress, worker, now);
  }
  if (packet.is_segmented != 0 && egress->needs_whole_packet()) {
    return drop(batch, i, worker, DropReason::kMultiSegment);
  }
  if (!send_packet(packet, packet.data + notes.parsed.l3_offset, length, notes, *egress, worker,
                   batch.out_ports[i])) {
    return drop(batch, i, worker, DropReason::kNoHeadroom);
  }
  worker.counters.backends[notes.backend->counter].count(length);
  batch.verdicts[i] = Verdict::kSend;
}

}  // namespace maglb
