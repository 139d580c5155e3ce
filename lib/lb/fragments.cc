#include "lib/lb/fragments.h"

#include <algorithm>
#include <array>

#include "lib/flow/fragment_table.h"
#include "lib/lb/decide.h"
#include "lib/net/fragment.h"
#include "lib/net/ipv6_chain.h"

namespace maglb {
namespace {

constexpr uint16_t kFragmentHeader = 8;

std::span<const uint8_t> ip_at_hand(const Packet& packet, const ParsedFrame& parsed) {
  const size_t at_hand =
      packet.is_segmented != 0 ? size_t{kSegmentHead} - parsed.l3_offset : parsed.l3_length;
  return {packet.data + parsed.l3_offset, std::min<size_t>(at_hand, parsed.l3_length)};
}

bool is_icmp(const ParsedFrame& parsed) {
  return static_cast<uint8_t>(parsed.key.protocol) == (parsed.is_v6 ? next_header::kIcmpv6 : kProtocolIcmp);
}

// What the fragment's own header names: of an IPv6 datagram all fragments have the same, though the first
// may show another protocol behind more headers.
uint8_t named_protocol(std::span<const uint8_t> ip, const FragmentFacts& facts, const ParsedFrame& parsed) {
  return parsed.is_v6 ? ip[facts.payload_offset - kFragmentHeader]
                      : static_cast<uint8_t>(parsed.key.protocol);
}

bool needs_first_one(uint8_t named) {
  switch (named) {
    case kProtocolTcp:
    case kProtocolUdp:
    case next_header::kHopByHop:
    case next_header::kRouting:
    case next_header::kAuthentication:
    case next_header::kDestination:
      return true;
    default:
      return false;
  }
}

FragmentKey key_of(const ParsedFrame& parsed, const FragmentFacts& facts) {
  FragmentKey key{parsed.key.source, parsed.key.destination, facts.id};
  key.protocol = parsed.is_v6 ? uint8_t{0} : static_cast<uint8_t>(parsed.key.protocol);
  return key;
}

DropReason reason_of(FragmentVerdict verdict) {
  switch (verdict) {
    case FragmentVerdict::kRefusedOverlap:
      return DropReason::kFragmentOverlap;
    case FragmentVerdict::kRefusedDuplicate:
      return DropReason::kFragmentDuplicate;
    case FragmentVerdict::kRefusedMalformed:
      return DropReason::kBadIpHeader;
    case FragmentVerdict::kRefusedFull:
    case FragmentVerdict::kForward:
    case FragmentVerdict::kHeld:
      break;
  }
  return DropReason::kFragmentLimit;
}

DropReason reason_of(FragmentLoss loss) {
  switch (loss) {
    case FragmentLoss::kExpired:
      return DropReason::kFragmentTimeout;
    case FragmentLoss::kSpoiled:
      return DropReason::kFragmentOverlap;
    case FragmentLoss::kEvicted:
      break;
  }
  return DropReason::kFragmentLimit;
}

// It waited, and its first one came; unless an overlap, or who needed the room, came between.
bool go_on(Batch& batch, size_t i, const FragmentKey& key, WorkerContext& worker, Time now) {
  const auto flow = worker.fragments->flow_of(key, now);
  if (!flow) {
    drop(batch, i, worker, DropReason::kFragmentOverlap);
    return false;
  }
  batch.notes[i].parsed.key = *flow;
  return true;
}

bool admit_fragment(Batch& batch, size_t i, const FragmentKey& key, const FragmentFacts& facts,
                    WorkerContext& worker, Time now) {
  ParsedFrame& parsed = batch.notes[i].parsed;
  const FlowKey first = parsed.key;
  const auto outcome = worker.fragments->admit({.key = key,
                                                .offset_bytes = facts.offset_bytes,
                                                .payload_bytes = facts.payload_bytes,
                                                .more = facts.more,
                                                .flow = facts.is_first() ? &first : nullptr,
                                                .handle = batch.handle(i),
                                                .buffer_bytes = batch.packets[i].length},
                                               now);
  if (outcome.verdict == FragmentVerdict::kForward) {
    parsed.key = outcome.flow;
    return true;
  }
  if (outcome.verdict == FragmentVerdict::kHeld) {
    batch.verdicts[i] = Verdict::kHeld;
  } else {
    drop(batch, i, worker, reason_of(outcome.verdict));
  }
  return false;
}

}  // namespace

bool find_flow_of_fragment(Batch& batch, size_t i, const Snapshot& snapshot, WorkerContext& worker,
                           Time now) {
  const ParsedFrame& parsed = batch.notes[i].parsed;
  if (is_icmp(parsed) || !snapshot.services().has_address(parsed.key.destination)) {
    batch.verdicts[i] = Verdict::kKernel;
    return false;
  }
  const std::span<const uint8_t> ip = ip_at_hand(batch.packets[i], parsed);
  const FragmentFacts facts = fragment_facts(ip);
  if (!needs_first_one(named_protocol(ip, facts, parsed))) {
    return true;
  }
  const FragmentKey key = key_of(parsed, facts);
  if (hand_over(batch, i, worker, owner_hash(worker.flow_key, key) % worker.workers)) {
    return false;
  }
  if (worker.fragments == nullptr || batch.handles == nullptr) {
    drop(batch, i, worker, DropReason::kFragmentLimit);
    return false;
  }
  return batch.is_released ? go_on(batch, i, key, worker, now)
                           : admit_fragment(batch, i, key, facts, worker, now);
}

Returned take_back(WorkerContext& worker, std::span<uintptr_t> out, Time now) {
  FragmentTable& table = *worker.fragments;
  table.expire(now);
  Returned returned;
  std::array<DroppedFragment, kBatchSize> dropped;
  if (const size_t released = table.take_released(out); released != 0) {
    returned = {TakenBack::kReleased, static_cast<uint32_t>(released)};
  } else if (const size_t count = table.take_dropped(std::span(dropped).first(out.size())); count != 0) {
    for (size_t i = 0; i < count; ++i) {
      out[i] = dropped[i].handle;
      worker.counters.drop(reason_of(dropped[i].reason));
    }
    returned = {TakenBack::kDropped, static_cast<uint32_t>(count)};
  }
  worker.counters.held.set(table.held());
  return returned;
}

}  // namespace maglb
