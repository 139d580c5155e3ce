#include "lib/lb/too_big.h"

#include <algorithm>
#include <utility>

#include "lib/lb/decide.h"
#include "lib/net/icmp_message.h"
#include "lib/net/ip_fragment.h"

namespace maglb {
namespace {

constexpr uint16_t kIpv6LeastMtu = 1280;  // RFC 8200, 5
constexpr size_t kFragmentHeader = 8;     // that IPv6 gets

// Whether an error may be sent about the packet: to a single host, and not about an error nor, over IPv4,
// about a piece. (IPv6's senders make the pieces, and have to be told what size they may be.)
bool may_be_answered(const Batch::Notes& notes, const Packet& packet) {
  const ParsedFrame& parsed = notes.parsed;
  const IpAddress& source = parsed.key.source;
  const bool is_of_a_flow = parsed.kind == PacketKind::kFlow || parsed.kind == PacketKind::kPortless ||
                            (parsed.kind == PacketKind::kFragment && parsed.is_v6);
  return is_of_a_flow && !source.is_unspecified() && !source.is_multicast() && !source.is_loopback() &&
         !(source.is_v4() && source.bytes[12] >= 240) &&
         !header_at<EthernetHeader>(packet.data).source.is_multicast();
}

// The packet becomes the error about it, which leaves by the way the packet came.
void become_too_big(Packet& packet, const ParsedFrame& parsed, uint32_t mtu) {
  uint8_t* const ip = packet.data + parsed.l3_offset;
  const size_t at_hand =
      packet.is_segmented != 0 ? size_t{kSegmentHead} - parsed.l3_offset : size_t{parsed.l3_length};
  const size_t room =
      packet.is_segmented != 0 ? at_hand : size_t{packet.length} + packet.tailroom - parsed.l3_offset;
  const size_t written =
      write_too_big({parsed.key.destination, parsed.key.source, mtu}, {ip, at_hand}, {ip, room});
  auto& ethernet = header_at<EthernetHeader>(packet.data);
  std::swap(ethernet.destination, ethernet.source);
  packet.length = static_cast<uint16_t>(parsed.l3_offset + written);
}

void tell_sender(Batch& batch, size_t i, const Egress& egress, WorkerContext& worker, Time now) {
  Packet& packet = batch.packets[i];
  const Batch::Notes& notes = batch.notes[i];
  if (!may_be_answered(notes, packet)) {
    return;
  }
  if (!worker.icmp_budget.take(worker.flow_key, notes.parsed.key.source, now)) {
    worker.counters.count(Event::kIcmpSuppressed);
    return;
  }
  const uint16_t mtu = static_cast<uint16_t>(worker.ports[egress.link].mtu - egress.overhead);
  become_too_big(packet, notes.parsed, notes.parsed.is_v6 ? std::max(mtu, kIpv6LeastMtu) : mtu);
  worker.counters.originated.add(1);
  batch.verdicts[i] = Verdict::kSend;
  batch.out_ports[i] = packet.in_port;
}

// A way that a packet's pieces leave by.
struct Way {
  const Egress& egress;
  const PortView& link;
  uint64_t source;  // MAC address
};

std::span<uint8_t> ip_of(const Batch& batch, size_t i) {
  const ParsedFrame& parsed = batch.notes[i].parsed;
  return {batch.packets[i].data + parsed.l3_offset, parsed.l3_length};
}

bool has_room_in_front(const Packet& packet, std::span<uint8_t> ip, size_t bytes) {
  return static_cast<size_t>(ip.data() - packet.data) + packet.headroom >= bytes;
}

// Of IPv6 fragment headers: no two packets to one backend within a long time the same (RFC 8200, 4.5), and
// nobody outside can tell the next one (RFC 7739).
uint32_t fragment_id(const Batch::Notes& notes, WorkerContext& worker) {
  uint8_t message[12];
  store_le(message, notes.digest.identity);
  store_le(message + 8, ++worker.fragmented);
  return static_cast<uint32_t>(siphash24(worker.flow_key, message));
}

// The pieces but the first, each with what it travels in: `each_on_its_own`, or else they are of a packet
// that has it already. False: there was no buffer for one, and all are given back.
bool make_others(const IpCut& cut, const Way& way, bool each_on_its_own, const Batch::Notes& notes, size_t i,
                 WorkerContext& worker) {
  const size_t before = worker.extra.size();
  const size_t overhead = each_on_its_own ? way.egress.overhead : 0;
  for (size_t piece = 1; piece < cut.pieces(); ++piece) {
    const size_t bytes = cut.bytes_of(piece);
    ExtraFrame* const frame = worker.extra.take(link_bytes(way.link) + overhead, bytes);
    if (frame == nullptr) {
      worker.extra.give_back(before);
      return false;
    }
    uint8_t* ip = frame->packet.data;
    cut.write(piece, ip);
    if (each_on_its_own) {
      ip = encapsulate({ip, bytes}, notes, way.egress, worker, false);
    }
    put_on_link(frame->packet, ip, bytes + overhead, way.egress, way.link, way.source, frame->out_port);
    frame->cause = static_cast<uint8_t>(i);
  }
  return true;
}

void count_sent(Batch& batch, size_t i, const IpCut& cut, WorkerContext& worker) {
  worker.counters.originated.add(cut.pieces() - 1);
  worker.counters.count(Event::kFragmented);
  worker.counters.backends[batch.notes[i].backend->counter].count(batch.notes[i].parsed.l3_length);
  batch.verdicts[i] = Verdict::kSend;
}

// One outer packet in pieces.
void send_outer_pieces(Batch& batch, size_t i, const Way& way, WorkerContext& worker) {
  Packet& packet = batch.packets[i];
  const Batch::Notes& notes = batch.notes[i];
  const std::span<uint8_t> ip = ip_of(batch, i);
  const size_t in_front = link_bytes(way.link) + (way.egress.outer_v6 ? kFragmentHeader : 0);
  if (!has_room_in_front(packet, ip, in_front + way.egress.overhead)) {
    return drop(batch, i, worker, DropReason::kNoHeadroom);
  }
  uint8_t* const outer = encapsulate(ip, notes, way.egress, worker, true);
  const auto cut =
      IpCut::of({outer, ip.size() + way.egress.overhead}, way.link.mtu, fragment_id(notes, worker));
  if (!cut) {
    return drop(batch, i, worker, DropReason::kTooBig);
  }
  if (!make_others(*cut, way, false, notes, i, worker)) {
    return drop(batch, i, worker, DropReason::kNoBuffer);
  }
  put_on_link(packet, cut->keep_first(), cut->bytes_of(0), way.egress, way.link, way.source,
              batch.out_ports[i]);
  count_sent(batch, i, *cut, worker);
}

// The packet in pieces that travel each in its own. IPv4 alone: nobody but its sender cuts IPv6.
void send_inner_pieces(Batch& batch, size_t i, const Way& way, WorkerContext& worker) {
  Packet& packet = batch.packets[i];
  const Batch::Notes& notes = batch.notes[i];
  const std::span<uint8_t> ip = ip_of(batch, i);
  const auto cut = IpCut::of(ip, size_t{way.link.mtu} - way.egress.overhead, 0);
  if (!cut) {
    return drop(batch, i, worker, DropReason::kTooBig);
  }
  if (!has_room_in_front(packet, ip, link_bytes(way.link) + way.egress.overhead)) {
    return drop(batch, i, worker, DropReason::kNoHeadroom);
  }
  if (!make_others(*cut, way, true, notes, i, worker)) {
    return drop(batch, i, worker, DropReason::kNoBuffer);
  }
  const size_t bytes = cut->bytes_of(0);
  uint8_t* const first = encapsulate({cut->keep_first(), bytes}, notes, way.egress, worker, false);
  put_on_link(packet, first, bytes + way.egress.overhead, way.egress, way.link, way.source,
              batch.out_ports[i]);
  count_sent(batch, i, *cut, worker);
}

enum class Remedy { kTellSender, kCutOuter, kCutInner, kNone };

Remedy remedy_for(const Batch& batch, size_t i, const Egress& egress) {
  const ParsedFrame& parsed = batch.notes[i].parsed;
  const bool outer_can_be = egress.is_tunnel && size_t{parsed.l3_length} + egress.overhead <= UINT16_MAX;
  if (parsed.is_v6) {
    if (parsed.l3_length > kIpv6LeastMtu) {
      return Remedy::kTellSender;
    }
    // Its sender need not do with less, and would be told of nothing new.
    return outer_can_be ? Remedy::kCutOuter : Remedy::kNone;
  }
  if (header_at<Ipv4Header>(batch.packets[i].data + parsed.l3_offset).dont_fragment()) {
    return Remedy::kTellSender;
  }
  return outer_can_be && egress.extra.oversize == Oversize::kOuter ? Remedy::kCutOuter : Remedy::kCutInner;
}

}  // namespace

void handle_too_big(Batch& batch, size_t i, const Egress& egress, WorkerContext& worker, Time now) {
  const Packet& packet = batch.packets[i];
  const PortView& link = worker.ports[egress.link];
  const Remedy remedy = remedy_for(batch, i, egress);
  if (remedy == Remedy::kTellSender || remedy == Remedy::kNone) {
    drop(batch, i, worker, DropReason::kTooBig);
    return remedy == Remedy::kTellSender ? tell_sender(batch, i, egress, worker, now) : void();
  }
  if (packet.is_segmented != 0) {
    return drop(batch, i, worker, DropReason::kMultiSegment);
  }
  const Way way{egress, link, source_mac(packet, link)};
  remedy == Remedy::kCutOuter ? send_outer_pieces(batch, i, way, worker)
                              : send_inner_pieces(batch, i, way, worker);
}

}  // namespace maglb
