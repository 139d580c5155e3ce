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
  // From this port and another one; with the session, if there is one, which has the port.
  void may_translate(uint16_t port, const NatSession* session);

  PacketFate run(std::span<const uint8_t> frame, uint8_t in_port, Time now);

  // Valid behind run().
  const Batch::Notes& notes() const { return batch_.notes[0]; }
  std::optional<Egress> egress(DropReason& why_not) const {
    return egress_of(batch_, 0, sources_.snapshot, worker_, why_not);
  }
  const WorkerContext& worker() const { return worker_; }
  // By this packet, from the trial's own ports, whatever the worker has.
  bool has_opened_session() const { return has_opened_session_; }

 private:
  const ExplainSources& sources_;
  std::array<FlowTable::Bucket, 8> buckets_{};
  FlowTable flows_;
  std::array<const FlowTable*, 1> tables_{&flows_};
  std::optional<NatPorts> nat_ports_;  // two of each address
  std::optional<NatTable> nat_;
  Pieces pieces_;
  WorkerContext worker_;
  Batch batch_;
  std::vector<uint8_t> buffer_;
  bool has_opened_session_ = false;
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

void Trial::may_translate(uint16_t port, const NatSession* session) {
  const auto first = std::min<uint16_t>(port, 0xfffe);
  nat_ports_ = sources_.nat_ports->with_ports({first, static_cast<uint16_t>(first + 1)});
  nat_.emplace(*nat_ports_, 0, nat_port_key(sources_.flow_key), NatTable::kDefaultQuarantine,
               std::pmr::new_delete_resource());
  worker_.nat = &*nat_;
  if (session != nullptr) {
    nat_->adopt(*session, worker_.flow_hash.digest(session->client_flow(), session->service_id));
  }
}

PacketFate Trial::run(std::span<const uint8_t> frame, uint8_t in_port, Time now) {
  buffer_.assign(kHeadroom + frame.size() + kHeadroom, 0);
  std::copy(frame.begin(), frame.end(), buffer_.begin() + kHeadroom);
  batch_.clear();
  batch_.notes[0] = {};
  batch_.add(
      {buffer_.data() + kHeadroom, static_cast<uint16_t>(frame.size()), kHeadroom, kHeadroom, in_port});
  const Change change(worker_.counters);
  process(batch_, sources_.snapshot, worker_, now);
  has_opened_session_ = change.has(Event::kNatSessionsOpened);

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

std::optional<Explanation::Known> youngest_entry(const ExplainSources& sources, const ServiceView& service,
                                                 const FlowDigest& digest, Tick tick) {
  std::optional<Explanation::Known> youngest;
  for (size_t i = 0; i < sources.tables.size(); ++i) {
    const auto entry = sources.tables[i]->find(digest, tick);
    if (!entry) {
      continue;
    }
    const Duration idle = idle_of(service, entry->state, entry->expires, tick);
    if (!youngest || idle < youngest->idle) {
      youngest = {static_cast<uint32_t>(i), *entry, idle, entry->expires.left(tick)};
    }
  }
  return youngest;
}

bool is_nat(const ServiceView& service) {
  return (service.special & ServiceView::kTranslate) != 0;
}

// Whose the packet is as one of nat, and what that worker is to be asked; nothing: it is none.
std::optional<std::pair<uint32_t, NatQuestion>> nat_question(const Explanation& out,
                                                             const ExplainSources& sources) {
  if (sources.nat_ports == nullptr) {
    return std::nullopt;
  }
  const FlowKey& key = out.parsed.key;
  if (const auto owner = sources.nat_ports->owner_of(key.destination, key.destination_port.host())) {
    return std::pair(*owner, NatQuestion{key, true, 0, {}});
  }
  if (out.service == nullptr || !is_nat(*out.service)) {
    return std::nullopt;
  }
  const FlowDigest digest = FlowHash(sources.flow_key).digest(key, out.service->id);
  return std::pair(nat_worker_of(digest, sources.nat_ports->workers()),
                   NatQuestion{key, false, out.service->id, digest});
}

// The service of a reply is its session's, if that is still the one that the session was opened for.
void find_session(Explanation& out, const ExplainSources& sources, Tick tick) {
  const auto asked = nat_question(out, sources);
  if (!asked) {
    return;
  }
  const auto& [worker, question] = *asked;
  if (question.is_reply) {
    out.service = nullptr;
    out.pool = nullptr;
    out.table_size = 0;
    out.flow.reset();
  }
  const auto answer = sources.ask_nat(worker, question);
  if (!answer) {
    out.silent_worker = worker;
    return;
  }
  out.has_nat_port = answer->has_port;
  if (!answer->session) {
    return;
  }
  const NatSession& known = *answer->session;
  const ServiceView* const service = sources.snapshot.services().find(known.client_flow());
  if (service == nullptr || service->id != known.service_id) {
    return;  // it ends with its next packet
  }
  out.service = service;
  out.pool = sources.snapshot.pool_of(*service);
  const bool is_closing = known.state == NatState::kClosing;
  const Duration idle = idle_of(*service, flow_state_of(known), known.expires, tick);
  out.session = {worker, question.is_reply, known, is_closing ? Duration(0) : idle, known.expires.left(tick)};
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
  if (out.service->track_flows && !is_nat(*out.service)) {
    const FlowDigest digest = FlowHash(sources.flow_key).digest(out.parsed.key, out.service->id);
    out.flow = youngest_entry(sources, *out.service, digest, tick);
  }
}

void find_way_to_client(Explanation& out, const ExplainSources& sources) {
  const NatSession& known = out.session->known;
  if (known.client_mac == MacAddress{} || known.client_link >= sources.ports.size()) {
    out.no_way = DropReason::kNoNextHop;
    return;
  }
  const uint16_t mtu = sources.ports[known.client_link].mtu;
  out.way = {known.client_link, known.client_mac, 0, mtu, mtu};
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

// The port that the trial is to have: the session's, the one that a reply came to, or any.
uint16_t nat_port(const Explanation& out, const NatPorts& ports) {
  if (out.session) {
    return out.session->known.nat_port.host();
  }
  const FlowKey& key = out.parsed.key;
  const bool is_to_nat = out.is_parsed && ports.owner_of(key.destination, key.destination_port.host());
  return is_to_nat ? key.destination_port.host() : ports.first_port(0);
}

// Where the worker has no port left for the session that the packet opens, it ends with that.
PacketFate fate_of(Trial& trial, std::span<const uint8_t> frame, uint8_t in_port, bool has_nat_port,
                   Time now) {
  PacketFate fate = trial.run(frame, in_port, now);
  if (has_nat_port || !trial.has_opened_session()) {
    return fate;
  }
  fate = {};
  fate.verdict = Verdict::kDrop;
  fate.reason = DropReason::kNoNatPort;
  return fate;
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

Explanation look_up_flow(const FlowKey& key, const ExplainSources& sources, Time now) {
  Explanation out;
  out.parsed.key = key;
  find_service(out, sources, Tick::at(now));
  find_session(out, sources, Tick::at(now));
  return out;
}

// What bounds and least-connections look at.
void Explainer::know_flows(const PoolView& pool, const ExplainSources& sources) {
  for (const BackendView& backend : pool.backends) {
    scheduling_.flows.set_others(backend.counter, flows_of(sources.flows, backend.counter));
  }
}

Explanation Explainer::explain(std::span<const uint8_t> frame, uint8_t in_port, const ExplainSources& sources,
                               Time now) {
  ParsedFrame parsed;
  const bool is_parsed = parse_frame(frame, parsed) == ParseStatus::kPacket;
  Explanation out = is_parsed ? look_up_flow(parsed.key, sources, now) : Explanation();
  out.is_parsed = is_parsed;
  out.parsed = parsed;
  if (out.pool != nullptr) {
    know_flows(*out.pool, sources);
  }
  Trial trial(sources, counters_, scheduling_);
  if (sources.nat_ports != nullptr) {
    trial.may_translate(nat_port(out, *sources.nat_ports), out.session ? &out.session->known : nullptr);
  }
  if (out.flow) {
    trial.know(FlowHash(sources.flow_key).digest(out.parsed.key, out.service->id), out.flow->entry,
               Tick::at(now));
  }
  out.packet = fate_of(trial, frame, in_port, out.has_nat_port, now);
  const bool is_reply = out.session && out.session->is_reply;
  is_reply ? find_way_to_client(out, sources) : find_way(out, trial);
  if (out.service != nullptr && out.parsed.kind == PacketKind::kFlow && !is_reply) {
    Trial fresh(sources, counters_, scheduling_);
    if (sources.nat_ports != nullptr) {
      fresh.may_translate(sources.nat_ports->first_port(0), nullptr);
    }
    out.new_flow = fate_of(fresh, opening_frame(frame, out.parsed), in_port, out.has_nat_port, now);
  }
  return out;
}

}  // namespace maglb
