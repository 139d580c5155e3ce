#include "lib/lb/nat_passage.h"

#include "lib/lb/decide.h"
#include "lib/lb/nat_rewrite.h"
#include "lib/net/parse.h"

namespace maglb::nat_detail {
namespace {

// Whether the translation finds all that it reads and cuts in the frame's first buffer: headers, and the
// data of a SYN.
bool is_at_hand(const Passage& p, const NatPacket& packet) {
  const Packet& frame = p.frame();
  if (frame.is_segmented == 0) {
    return true;
  }
  if (p.parsed().kind != PacketKind::kFlow || (p.parsed().tcp_flags & kTcpSyn) != 0) {
    return false;
  }
  const size_t header = p.key().protocol == Protocol::kTcp
                            ? header_at<TcpHeader>(packet.ip + packet.l4_offset).length_bytes()
                            : sizeof(UdpHeader);
  return p.parsed().l3_offset + packet.l4_offset + header <= kSegmentHead;
}

DropReason reason_of(NatResult result) {
  switch (result) {
    case NatResult::kTtlExceeded:
      return DropReason::kTtlExceeded;
    case NatResult::kTooLong:
      return DropReason::kTooBig;
    case NatResult::kFragmented:
      return DropReason::kNatFragment;
    case NatResult::kNoHeadroom:
    case NatResult::kTranslated:
      break;
  }
  return DropReason::kNoHeadroom;
}

}  // namespace

std::optional<Arrival> arrival_of(const Passage& p) {
  const ParsedFrame& parsed = p.parsed();
  const Packet& frame = p.frame();
  Arrival arrival;
  arrival.ethernet = header_at<EthernetHeader>(frame.data);
  NatPacket& packet = arrival.packet;
  packet.ip = frame.data + parsed.l3_offset;
  packet.length = parsed.l3_length;
  packet.headroom = static_cast<uint16_t>(frame.headroom + parsed.l3_offset - sizeof(EthernetHeader));
  packet.l4_offset = l4_offset({packet.ip, packet.length});
  packet.is_v6 = parsed.is_v6;
  if (ttl_of(packet.ip, packet.is_v6) <= 1) {
    drop(p.batch, p.i, p.worker, DropReason::kTtlExceeded);
    return std::nullopt;
  }
  if (!is_at_hand(p, packet)) {
    drop(p.batch, p.i, p.worker, DropReason::kMultiSegment);
    return std::nullopt;
  }
  return arrival;
}

KnownSession session_of_reply(const Passage& p, const FlowKey& reply) {
  NatTable& nat = *p.worker.nat;
  const auto index = nat.ports().index_of(reply.destination);
  if (!index) {
    return {};
  }
  NatSession* const session =
      nat.find_reply(*index, reply.destination_port.host(), reply.protocol, Tick::at(p.now));
  if (session == nullptr || !session->is_reply(reply)) {
    return {};
  }
  const ServiceView* const service = p.snapshot.services().find(session->client_flow());
  if (service == nullptr || service->id != session->service_id) {
    nat.erase(*session, p.now);
    return {};
  }
  return {session, service};
}

const BackendView* backend_of(const NatSession& session, const PoolView& pool) {
  if (session.backend_id.pool != pool.number) {
    return nullptr;
  }
  const BackendView* const backend = Snapshot::backend(pool, session.backend_id.place);
  return backend != nullptr && backend->address == session.backend ? backend : nullptr;
}

std::optional<Egress> client_egress(const Passage& p, const NatSession& session, const ServiceView& service) {
  if (session.client_mac == MacAddress{} || session.client_link >= p.worker.ports.size()) {
    drop(p.batch, p.i, p.worker, DropReason::kNoNextHop);
    return std::nullopt;
  }
  Egress egress{service.forward, p.snapshot.services().extra(service)};
  egress.outer_v6 = p.parsed().is_v6;
  egress.link = session.client_link;
  egress.mac = session.client_mac.word();
  return egress;
}

std::optional<Egress> backend_egress(const Passage& p) {
  DropReason why_not{};
  auto egress = egress_of(p.batch, p.i, p.snapshot, p.worker, why_not);
  if (!egress) {
    drop(p.batch, p.i, p.worker, why_not);
  }
  return egress;
}

void finish(const Passage& p, NatResult result, const Arrival& translated, const Egress& egress) {
  if (result != NatResult::kTranslated) {
    return drop(p.batch, p.i, p.worker, reason_of(result));
  }
  const NatPacket& packet = translated.packet;
  Packet& frame = p.frame();
  frame.data = packet.ip - sizeof(EthernetHeader);
  frame.headroom = packet.headroom;
  header_at<EthernetHeader>(frame.data) = translated.ethernet;
  if (!send_packet(frame, packet.ip, packet.length, p.notes(), egress, p.worker, p.batch.out_ports[p.i])) {
    return drop(p.batch, p.i, p.worker, DropReason::kNoHeadroom);
  }
  p.batch.verdicts[p.i] = Verdict::kSend;
}

}  // namespace maglb::nat_detail
