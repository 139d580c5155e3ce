// Stage 1: reads a frame; decides what is malformed, and what is not for this port.
#pragma once

#include <optional>

#include "lib/lb/batch.h"
#include "lib/lb/worker_context.h"
#include "lib/net/parse.h"
#include "lib/net/wire.h"

namespace maglb {

// Any frame, with every check by itself: of options, fragments or faults.
void parse_uncommon(Batch& batch, size_t i, WorkerContext& worker);

// Index of the link that the frame came by: of its port, or of that port's VLAN that the frame's tags name.
// Nothing: it has tags that no link has. A tag with a priority only counts as none.
std::optional<uint8_t> link_of(const ParsedFrame& parsed, const Packet& packet, const WorkerContext& worker);

// The first eight bytes of a frame hold the destination's six; whether they are the port's own.
inline bool is_to(const uint8_t* frame, uint16_t length, const PortView& port) {
  return length >= sizeof(EthernetHeader) && ((load_le64(frame) ^ port.word()) << 16) == 0;
}

// Frames to another MAC address, those with tags that no link has, and what no service can match are the
// kernel's. Everything else stays pending, with ParsedFrame::kind. True: the packet is pending.
template <typename Instructions>
inline bool parse(Batch& batch, size_t i, WorkerContext& worker) {
  const Packet& packet = batch.packets[i];
  const bool is_common = batch.verdicts[i] == Verdict::kPending &&
                         is_to(packet.data, packet.length, worker.ports[packet.in_port]) &&
                         parse_common<Instructions>(packet.data, packet.length, batch.notes[i].parsed);
  if (!is_common) [[unlikely]] {
    parse_uncommon(batch, i, worker);
    return batch.verdicts[i] == Verdict::kPending;
  }
  return true;
}

}  // namespace maglb
