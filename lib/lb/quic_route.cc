#include "lib/lb/quic_route.h"

#include <algorithm>

#include "lib/lb/rewrite.h"
#include "lib/lb/track.h"
#include "lib/net/quic.h"

namespace maglb {
namespace {

// What of the datagram's payload is at hand.
std::span<const uint8_t> payload_of(const Batch& batch, size_t i) {
  const ParsedFrame& parsed = batch.notes[i].parsed;
  const Packet& packet = batch.packets[i];
  const size_t at_hand =
      packet.is_segmented != 0 ? size_t{kSegmentHead} - parsed.l3_offset : parsed.l3_length;
  const std::span<const uint8_t> ip(packet.data + parsed.l3_offset,
                                    std::min<size_t>(at_hand, parsed.l3_length));
  const size_t payload = l4_offset(ip) + sizeof(UdpHeader);
  return payload <= ip.size() ? ip.subspan(payload) : std::span<const uint8_t>();
}

}  // namespace

bool route_by_connection_id(Batch& batch, size_t i, const Snapshot& snapshot, WorkerContext& worker,
                            Time now) {
  Batch::Notes& notes = batch.notes[i];
  if (notes.parsed.kind != PacketKind::kFlow || notes.parsed.key.protocol != Protocol::kUdp) {
    return false;
  }
  const auto id = server_id_of(payload_of(batch, i), snapshot.services().extra(*notes.service).quic);
  const auto place = id ? notes.pool->server_ids.find(*id) : std::nullopt;
  const BackendView* backend = place ? Snapshot::backend(*notes.pool, *place) : nullptr;
  if (backend == nullptr || (backend->state != PlaceState::kUp && backend->state != PlaceState::kDrain)) {
    worker.counters.count(Event::kQuicByTable);
    return false;
  }
  worker.counters.count(Event::kQuicRouted);
  notes.digest = worker.flow_hash.digest(notes.parsed.key, notes.service->id);
  notes.backend = backend;
  if (notes.service->track_flows) {
    remember(batch, i, worker, *place, now);
  }
  rewrite_uncommon(batch, i, snapshot, worker, now);
  return true;
}

}  // namespace maglb
