#include "lib/lb/classify.h"

#include "lib/lb/echo.h"
#include "lib/lb/fragments.h"
#include "lib/lb/icmp_error.h"
#include "lib/lb/nat.h"
#include "lib/lb/quic_route.h"
#include "lib/net/tcp_options.h"

namespace maglb {
namespace {

std::span<uint8_t> ip_of(const Batch& batch, size_t i) {
  const ParsedFrame& parsed = batch.notes[i].parsed;
  return {batch.packets[i].data + parsed.l3_offset, parsed.l3_length};
}

// A SYN's offer goes down to what the service allows, so that no segment is too long for the way.
void clamp_mss_of(Batch& batch, size_t i, uint16_t limit) {
  const ParsedFrame& parsed = batch.notes[i].parsed;
  if (parsed.kind != PacketKind::kFlow || parsed.key.protocol != Protocol::kTcp ||
      (parsed.tcp_flags & kTcpSyn) == 0) {
    return;
  }
  const std::span<uint8_t> ip = ip_of(batch, i);
  clamp_mss(ip.subspan(l4_offset(ip)), limit);
}

// A packet of the service's flows, with all that the service asks for.
bool admit(Batch& batch, size_t i, const ServiceView& service, const Snapshot& snapshot,
           WorkerContext& worker, Time now) {
  Batch::Notes& notes = batch.notes[i];
  const ServiceExtra& extra = snapshot.services().extra(service);
  if (worker.own_source(notes.parsed.is_v6).contains(notes.parsed.key.source)) {
    drop(batch, i, worker, DropReason::kLoop);
    return false;
  }
  if (extra.has_filter && !extra.filter.allows(notes.parsed.key.source)) {
    drop(batch, i, worker, DropReason::kSourceDenied);
    return false;
  }
  if (notes.parsed.kind == PacketKind::kFragment && service.forward == ForwardMode::kNat) {
    drop(batch, i, worker, DropReason::kNatFragment);
    return false;
  }
  notes.service = &service;
  notes.pool = snapshot.pool_of(service);
  worker.counters.services[service.counter].count(notes.parsed.l3_length);
  if (extra.mss != 0) {
    clamp_mss_of(batch, i, extra.mss);
  }
  if ((service.special & ServiceView::kTranslate) != 0) {
    nat_to_backend(batch, i, snapshot, worker, now);
    return false;
  }
  return extra.quic.empty() || !route_by_connection_id(batch, i, snapshot, worker, now);
}

}  // namespace

bool classify_uncommon(Batch& batch, size_t i, const Snapshot& snapshot, WorkerContext& worker, Time now) {
  const ParsedFrame& parsed = batch.notes[i].parsed;
  switch (parsed.kind) {
    case PacketKind::kFragment:
      if (!find_flow_of_fragment(batch, i, snapshot, worker, now)) {
        return false;
      }
      break;
    case PacketKind::kIcmpError:
      forward_icmp_error(batch, i, snapshot, worker, now);
      return false;
    case PacketKind::kEcho:
      take_echo_request(batch, i, snapshot, worker, now);
      return false;
    case PacketKind::kFlow:
      if (take_nat_reply(batch, i, snapshot, worker, now)) {
        return false;
      }
      break;
    case PacketKind::kPortless:
      break;
  }
  const ServiceView* service = snapshot.services().find(parsed.key);
  if (service == nullptr) {
    batch.verdicts[i] = Verdict::kKernel;
    return false;
  }
  return admit(batch, i, *service, snapshot, worker, now);
}

}  // namespace maglb
