#include "lib/lb/explain.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "lib/flow/nat_table.h"
#include "lib/lb/egress.h"
#include "lib/lb/nat.h"
#include "lib/lb/pipeline.h"
#include "lib/lb/track.h"

namespace maglb {
namespace {

constexpr uint16_t kHeadroom = 256;  // as drivers leave
constexpr size_t kMostPieces = 16;

// Buffers for the pieces of a packet that is too big, and for errors.
class Pieces {
 public:
  FrameBuffers source() {
    return {take, [](void*, void*) {}, this};
  }

 private:
  static bool take(void* self, ExtraFrame& frame) {
    auto& pieces = *static_cast<Pieces*>(self);
    if (pieces.buffers_.size() == kMostPieces) {
      return false;
    }
    auto& buffer = pieces.buffers_.emplace_back(kHeadroom + kLargestFrame + kHeadroom);
    frame.handle = buffer.data();
    frame.packet = Packet{};
    frame.packet.data = buffer.data();
    frame.packet.tailroom = static_cast<uint16_t>(buffer.size());
    return true;
  }

  std::vector<std::vector<uint8_t>> buffers_;
};

// A worker of its own, alone, for one packet.
class Trial {
 public:
  Trial(const ExplainSources& sources, WorkerCounters& counters, Scheduling& scheduling)
      : sources_(sources),
        flows_(buckets_),
        worker_{flows_,
                tables_,
                counters,
                sources.next_hops,
                sources.ports,
                sources.flow_key,
                sources.tunnel_source_v4,
                sources.tunnel_source_v6,
                sources.path} {
    worker_.extra = ExtraFrames(pieces_.source());
    worker_.scheduling = &scheduling;
  }
  Trial(const Trial&) = delete;
  Trial& operator=(const Trial&) = delete;

  void know(const FlowDigest& digest, const FlowEntry& entry, Tick tick) {
    flows_.store(digest, entry, tick);
  }
  void may_translate() {
    if (sources_.nat_ports != nullptr) {
      nat_.emplace(*sources_.nat_ports, 0, nat_port_key(sources_.flow_key), NatTable::kDefaultQuarantine,
                   std::pmr::new_delete_resource());
      worker_.nat = &*nat_;
    }
  }

  PacketFate run(std::span<const uint8_t> frame, uint8_t in_port, Time now);

  // Valid behind run().
  const Batch::Notes& notes() const { return batch_.notes[0]; }
  std::optional<Egress> egress(DropReason& why_not) const {
    return egress_of(batch_, 0, sources_.snapshot, worker_, why_not);
  }
  const WorkerContext& worker() const { return worker_; }

 private:
  const ExplainSources& sources_;
  std::array<FlowTable::Bucket, 8> buckets_{};
  FlowTable flows_;
  std::array<const FlowTable*, 1> tables_{&flows_};
  std::optional<NatTable> nat_;
  Pieces pieces_;
  WorkerContext worker_;
  Batch batch_;
  std::vector<uint8_t> buffer_;
};

// What the counters say more than before.
class Change {
 public:
  explicit Change(const WorkerCounters& counters) : counters_(counters) {
    for (size_t i = 0; i < kDropReasons; ++i) {
      dropped_[i] = counters.dropped[i].value();
    }
    for (size_t i = 0; i < kEvents; ++i) {
      events_[i] = counters.events[i].value();
    }
  }
  std::optional<DropReason> reason() const {
    for (size_t i = 0; i < kDropReasons; ++i) {
      if (counters_.dropped[i].value() != dropped_[i]) {
        return static_cast<DropReason>(i);
      }
    }
    return std::nullopt;
  }
  bool has(Event event) const {
    const auto i = static_cast<size_t>(event);
    return counters_.events[i].value() != events_[i];
  }

 private:
  const WorkerCounters& counters_;
  std::array<uint64_t, kDropReasons> dropped_;
  std::array<uint64_t, kEvents> events_;
};

PacketFate Trial::run(std::span<const uint8_t> frame, uint8_t in_port, Time now) {
  buffer_.assign(kHeadroom + frame.size() + kHeadroom, 0);
  std::copy(frame.begin(), frame.end(), buffer_.begin() + kHeadroom);
  batch_.clear();
  batch_.notes[0] = {};
  batch_.add(
      {buffer_.data() + kHeadroom, static_cast<uint16_t>(frame.size()), kHeadroom, kHeadroom, in_port});
  const Change change(worker_.counters);
  process(batch_, sources_.snapshot, worker_, now);

  PacketFate fate;
  fate.verdict = batch_.verdicts[0];
  fate.reason = change.reason();
  if (notes().pool != nullptr && notes().backend != nullptr) {
    fate.place = static_cast<uint16_t>(notes().backend - notes().pool->backends.data());
  }
  if (fate.verdict == Verdict::kSend) {
    fate.is_answered = fate.reason || change.has(Event::kEchoesAnswered);
    fate.is_fragmented = change.has(Event::kFragmented);
    fate.frame.assign(batch_.packets[0].data, batch_.packets[0].data + batch_.packets[0].length);
  }
  return fate;
}

Duration idle_of(const ServiceView& service, const FlowEntry& entry, Tick now) {
  return std::max(timeout_of(service, entry.state) - entry.expires.left(now), Duration(0));
}

std::optional<Explanation::Known> youngest_entry(const ExplainSources& sources, const ServiceView& service,
                                                 const FlowDigest& digest, Tick tick) {
  std::optional<Explanation::Known> youngest;
  for (size_t i = 0; i < sources.tables.size(); ++i) {
    const auto entry = sources.tables[i]->find(digest, tick);
    if (!entry) {
      continue;
    }
    const Duration idle = idle_of(service, *entry, tick);
    if (!youngest || idle < youngest->idle) {
      youngest = {static_cast<uint32_t>(i), *entry, idle, entry->expires.left(tick)};
    }
  }
  return youngest;
}

void find_service(Explanation& out, const ExplainSources& sources, Tick tick) {
  out.service = sources.snapshot.services().find(out.parsed.key);
  if (out.service == nullptr) {
    return;
  }
  out.pool = sources.snapshot.pool_of(*out.service);
  out.table_size = static_cast<uint32_t>(out.pool->slots.size());
  out.slot = out.pool->slot_of(out.parsed.key);
  out.table_place = out.pool->slots[out.slot];
  if (out.service->track_flows && (out.service->special & ServiceView::kTranslate) == 0) {
    const FlowDigest digest = FlowHash(sources.flow_key).digest(out.parsed.key, out.service->id);
    out.flow = youngest_entry(sources, *out.service, digest, tick);
  }
}

void find_way(Explanation& out, const Trial& trial) {
  if (!out.packet.place || trial.notes().service == nullptr) {
    return;
  }
  DropReason why_not{};
  const auto egress = trial.egress(why_not);
  if (!egress) {
    out.no_way = why_not;
    return;
  }
  Explanation::Way way;
  way.link = egress->link;
  const uint64_t mac = egress->mac;
  std::memcpy(way.next_hop.bytes.data(), &mac, way.next_hop.bytes.size());
  way.overhead = egress->overhead;
  way.mtu = trial.worker().ports[egress->link].mtu;
  way.largest = static_cast<uint16_t>(way.mtu - std::min(way.mtu, way.overhead));
  out.way = way;
}

// The frame as the first of its flow.
std::vector<uint8_t> opening_frame(std::span<const uint8_t> frame, const ParsedFrame& parsed) {
  std::vector<uint8_t> opening(frame.begin(), frame.end());
  if (parsed.key.protocol == Protocol::kTcp) {
    const std::span<const uint8_t> ip = std::span(opening).subspan(parsed.l3_offset);
    header_at<TcpHeader>(opening.data() + parsed.l3_offset + l4_offset(ip)).flags = kTcpSyn;
  }
  return opening;
}

}  // namespace

// What bounds and least-connections look at.
void Explainer::know_flows(const PoolView& pool, const ExplainSources& sources) {
  for (const BackendView& backend : pool.backends) {
    scheduling_.flows.set_others(backend.counter, flows_of(sources.flows, backend.counter));
  }
}

Explanation Explainer::explain(std::span<const uint8_t> frame, uint8_t in_port, const ExplainSources& sources,
                               Time now) {
  const Tick tick = Tick::at(now);
  Explanation out;
  out.is_parsed = parse_frame(frame, out.parsed) == ParseStatus::kPacket;
  if (out.is_parsed) {
    find_service(out, sources, tick);
  }
  if (out.pool != nullptr) {
    know_flows(*out.pool, sources);
  }
  const bool is_nat = out.service != nullptr && (out.service->special & ServiceView::kTranslate) != 0;
  Trial trial(sources, counters_, scheduling_);
  if (is_nat) {
    trial.may_translate();
  }
  if (out.flow) {
    trial.know(FlowHash(sources.flow_key).digest(out.parsed.key, out.service->id), out.flow->entry, tick);
  }
  out.packet = trial.run(frame, in_port, now);
  find_way(out, trial);
  if (out.service != nullptr && out.parsed.kind == PacketKind::kFlow) {
    Trial fresh(sources, counters_, scheduling_);
    if (is_nat) {
      fresh.may_translate();
    }
    out.new_flow = fresh.run(opening_frame(frame, out.parsed), in_port, now);
  }
  return out;
}

}  // namespace maglb
