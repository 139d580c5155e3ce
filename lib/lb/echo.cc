#include "lib/lb/echo.h"

#include <utility>

#include "lib/lb/decide.h"
#include "lib/lb/rewrite.h"
#include "lib/net/icmp_message.h"

namespace maglb {
namespace {

void forward_echo(Batch& batch, size_t i, const ServiceView& service, const Snapshot& snapshot,
                  WorkerContext& worker, Time now) {
  Batch::Notes& notes = batch.notes[i];
  const ServiceExtra& extra = snapshot.services().extra(service);
  if (worker.own_source(notes.parsed.is_v6).contains(notes.parsed.key.source)) {
    return drop(batch, i, worker, DropReason::kLoop);
  }
  if (extra.has_filter && !extra.filter.allows(notes.parsed.key.source)) {
    return drop(batch, i, worker, DropReason::kSourceDenied);
  }
  notes.service = &service;
  notes.pool = snapshot.pool_of(service);
  notes.digest = worker.flow_hash.digest(notes.parsed.key, service.id);
  const uint16_t place = notes.pool->slots[notes.pool->slot_of(notes.parsed.key)];
  if (place == kNoBackend) {
    return drop(batch, i, worker, DropReason::kNoBackend);
  }
  notes.backend = &notes.pool->backends[place];
  rewrite_uncommon(batch, i, snapshot, worker, now);
}

// The reply leaves by the way the request came.
void answer_echo(Batch& batch, size_t i, WorkerContext& worker, Time now) {
  Packet& packet = batch.packets[i];
  const ParsedFrame& parsed = batch.notes[i].parsed;
  if (!worker.echo_budget.take(worker.flow_key, parsed.key.source, now)) {
    return drop(batch, i, worker, DropReason::kEchoLimit);
  }
  if (packet.is_segmented != 0) {
    return drop(batch, i, worker, DropReason::kMultiSegment);
  }
  if (!echo_reply_in_place({packet.data + parsed.l3_offset, parsed.l3_length}, parsed.is_v6)) {
    return drop(batch, i, worker, DropReason::kBadEcho);
  }
  auto& ethernet = header_at<EthernetHeader>(packet.data);
  std::swap(ethernet.destination, ethernet.source);
  packet.length = static_cast<uint16_t>(parsed.l3_offset + parsed.l3_length);
  worker.counters.count(Event::kEchoesAnswered);
  batch.verdicts[i] = Verdict::kSend;
  batch.out_ports[i] = packet.in_port;
}

}  // namespace

void take_echo_request(Batch& batch, size_t i, const Snapshot& snapshot, WorkerContext& worker, Time now) {
  const IpAddress& address = batch.notes[i].parsed.key.destination;
  if (!snapshot.services().has_address(address)) {
    batch.verdicts[i] = Verdict::kKernel;
    return;
  }
  if (const ServiceView* service = snapshot.services().wants_ping(address)) {
    return forward_echo(batch, i, *service, snapshot, worker, now);
  }
  answer_echo(batch, i, worker, now);
}

}  // namespace maglb
