#include "lib/lb/nat.h"

#include <array>

#include "lib/lb/decide.h"
#include "lib/lb/nat_passage.h"
#include "lib/lb/parse_stage.h"
#include "lib/lb/schedule.h"
#include "lib/lb/too_big.h"
#include "lib/lb/track.h"

namespace maglb {
namespace {

using nat_detail::Arrival;
using nat_detail::KnownSession;
using nat_detail::Passage;

TcpFacts facts_of(const Passage& p, const NatPacket& packet) {
  if (p.key().protocol != Protocol::kTcp) {
    return {};
  }
  const auto& tcp = header_at<TcpHeader>(packet.ip + packet.l4_offset);
  return {tcp.flags, tcp.sequence.host(), tcp.acknowledgement.host()};
}

NatTimeouts timeouts_of(const ServiceView& service) {
  return {timeout_of(service, FlowState::kOpening), timeout_of(service, FlowState::kEstablished),
          timeout_of(service, FlowState::kClosing), timeout_of(service, FlowState::kUdp)};
}

// A datagram, or a SYN and nothing else.
bool may_open(const Passage& p) {
  return p.key().protocol == Protocol::kUdp ||
         (p.parsed().tcp_flags & (kTcpSyn | kTcpAck | kTcpRst | kTcpFin)) == kTcpSyn;
}

bool has_source(const WorkerContext& worker, bool is_v6) {
  return worker.nat != nullptr && worker.nat->ports().family(!is_v6).count != 0;
}

// Whether the session stays with its backend; null: that is gone.
bool session_holds(const Passage& p, const BackendView* backend) {
  if (backend == nullptr) {
    return false;
  }
  return backend->state == PlaceState::kUp || backend->state == PlaceState::kDrain ||
         (p.notes().service->keep_on_failure && !may_open(p));
}

NatFlow flow_of(const Passage& p, uint16_t place) {
  const Batch::Notes& notes = p.notes();
  const ServiceExtra& extra = p.snapshot.services().extra(*notes.service);
  const Be16 port = extra.backend_port != 0 ? Be16(extra.backend_port) : p.key().destination_port;
  return {p.key(),
          notes.digest,
          notes.service->id,
          {notes.pool->number, place},
          notes.pool->backends[place].address,
          port,
          extra.proxy_protocol};
}

void count_opened(const Passage& p, NatOpening how, const BackendView& backend) {
  WorkerCounters& counters = p.worker.counters;
  counters.count(Event::kNatSessionsOpened);
  counters.count(Event::kNatSessionsReplaced, how == NatOpening::kReplaced ? 1 : 0);
  counters.services[p.notes().service->counter].new_flows.add(1);
  counters.backends[backend.counter].new_flows.add(1);
}

// A session with the backend that the pool's scheduler chooses; null: dropped.
NatSession* open_session(const Passage& p, const NatTimeouts& timeouts) {
  const PoolView& pool = *p.notes().pool;
  const bool has_backends = pool.slots[0] != kNoBackend;
  const Choice choice =
      has_backends ? choose(Asking::kNewFlow, pool, pool.slot_of(p.key()), kNoBackend, p.worker) : Choice{};
  const uint16_t place = choice.place;
  if (has_backends && place == kNoBackend) {
    drop(p.batch, p.i, p.worker, DropReason::kBackendsFull);
    return nullptr;
  }
  // Nothing brings a packet to a backend of the other family.
  if (place == kNoBackend || pool.backends[place].address.is_v4() == p.parsed().is_v6) {
    drop(p.batch, p.i, p.worker, DropReason::kNoBackend);
    return nullptr;
  }
  if (p.worker.nat->ports().index_of(p.key().source)) {
    drop(p.batch, p.i, p.worker, DropReason::kLoop);
    return nullptr;
  }
  const auto [session, how] = p.worker.nat->open(flow_of(p, place), timeouts.opening, p.now);
  if (session == nullptr) {
    drop(p.batch, p.i, p.worker, DropReason::kNoNatPort);
    return nullptr;
  }
  settle(choice, pool, p.worker);
  count_opened(p, how, pool.backends[place]);
  return session;
}

// The packet's session, an old or a new one, and its backend in the notes; null: dropped.
NatSession* session_of_client(const Passage& p, const TcpFacts& facts, const NatTimeouts& timeouts) {
  Batch::Notes& notes = p.notes();
  NatTable& nat = *p.worker.nat;
  NatSession* session = nat.find(p.key(), notes.service->id, notes.digest, p.now);
  if (session != nullptr) {
    notes.backend = nat_detail::backend_of(*session, *notes.pool);
    if (session_holds(p, notes.backend) && !begins_anew(*session, facts)) {
      return session;
    }
    nat.erase(*session, p.now);
  }
  if (!may_open(p)) {
    drop(p.batch, p.i, p.worker, DropReason::kNoSession);
    return nullptr;
  }
  session = open_session(p, timeouts);
  if (session != nullptr) {
    notes.backend = &notes.pool->backends[session->backend_id.place];
  }
  return session;
}

// Replies go to where the client's last packet came from.
void remember_client(const Passage& p, NatSession& session) {
  const MacAddress& source = header_at<EthernetHeader>(p.frame().data).source;
  const auto link = link_of(p.parsed(), p.frame(), p.worker);
  if (link && !source.is_multicast()) {
    session.client_mac = source;
    session.client_link = *link;
  }
}

// Whether an error would help its sender: not one who lets others fragment, nor one who keeps to what IPv6
// promises.
bool is_told(const Passage& p) {
  constexpr uint16_t kIpv6LeastMtu = 1280;  // RFC 8200, 5
  const ParsedFrame& parsed = p.parsed();
  return parsed.is_v6 ? parsed.l3_length > kIpv6LeastMtu
                      : header_at<Ipv4Header>(p.frame().data + parsed.l3_offset).dont_fragment();
}

// True: the packet, with what it will grow by, does not fit, and is decided.
bool is_too_big(const Passage& p, const Egress& egress, uint16_t growth) {
  if (uint32_t{p.parsed().l3_length} + growth <= p.worker.ports[egress.link].mtu) {
    return false;
  }
  if (!is_told(p)) {
    drop(p.batch, p.i, p.worker, DropReason::kTooBig);
    return true;
  }
  Egress grown = egress;
  grown.overhead = growth;
  handle_too_big(p.batch, p.i, grown, p.worker, p.now);
  return true;
}

void send_to_backend(const Passage& p, Arrival arrival, const NatSession& session) {
  const auto egress = nat_detail::backend_egress(p);
  if (!egress || is_too_big(p, *egress, growth_to_backend(arrival.packet, session))) {
    return;
  }
  const NatResult result = to_backend(arrival.packet, session);
  nat_detail::finish(p, result, arrival, *egress);
  if (p.batch.verdicts[p.i] == Verdict::kSend) {
    p.worker.counters.backends[p.notes().backend->counter].count(p.parsed().l3_length);
  }
}

void send_to_client(const Passage& p, const KnownSession& known) {
  auto arrival = nat_detail::arrival_of(p);
  if (!arrival) {
    return;
  }
  track_backend(*p.worker.nat, *known.session, facts_of(p, arrival->packet), timeouts_of(*known.service),
                p.now);
  const auto egress = nat_detail::client_egress(p, *known.session, *known.service);
  if (!egress || is_too_big(p, *egress, 0)) {
    return;
  }
  const NatResult result = to_client(arrival->packet, *known.session, egress->extra.mss);
  nat_detail::finish(p, result, *arrival, *egress);
}

bool session_may_stay(const NatSession& session, const Snapshot& snapshot) {
  if (!snapshot.has_removed()) {
    return true;
  }
  const PoolView* const pool = snapshot.pool(session.backend_id.pool);
  const BackendView* const backend = pool == nullptr ? nullptr : nat_detail::backend_of(session, *pool);
  return backend != nullptr && (backend->state != PlaceState::kRemoved || pool->keep_on_failure);
}

}  // namespace

SipKey nat_port_key(const SipKey& flow_key) {
  constexpr std::array<uint8_t, 5> kFirst = {'n', 'a', 't', ' ', '0'};
  constexpr std::array<uint8_t, 5> kSecond = {'n', 'a', 't', ' ', '1'};
  return {siphash24(flow_key, kFirst), siphash24(flow_key, kSecond)};
}

void nat_to_backend(Batch& batch, size_t i, const Snapshot& snapshot, WorkerContext& worker, Time now) {
  const Passage p{batch, i, snapshot, worker, now};
  if (!has_source(worker, p.parsed().is_v6)) {
    return drop(batch, i, worker, DropReason::kNoNatSource);
  }
  Batch::Notes& notes = p.notes();
  notes.digest = worker.flow_hash.digest(p.key(), notes.service->id);
  if (hand_over(batch, i, worker, nat_worker_of(notes.digest, worker.workers))) {
    return;
  }
  const auto arrival = nat_detail::arrival_of(p);
  if (!arrival) {
    return;
  }
  const TcpFacts facts = facts_of(p, arrival->packet);
  const NatTimeouts timeouts = timeouts_of(*notes.service);
  NatSession* const session = session_of_client(p, facts, timeouts);
  if (session == nullptr) {
    return;
  }
  remember_client(p, *session);
  track_client(*worker.nat, *session, facts, timeouts, now);
  send_to_backend(p, *arrival, *session);
}

bool take_nat_reply(Batch& batch, size_t i, const Snapshot& snapshot, WorkerContext& worker, Time now) {
  const Passage p{batch, i, snapshot, worker, now};
  if (worker.nat == nullptr) {
    return false;
  }
  const auto owner = worker.nat->ports().owner_of(p.key().destination, p.key().destination_port.host());
  if (!owner) {
    return false;
  }
  if (hand_over(batch, i, worker, *owner)) {
    return true;
  }
  const KnownSession known = nat_detail::session_of_reply(p, p.key());
  if (known.session == nullptr) {
    drop(batch, i, worker, DropReason::kNoSession);
  } else {
    send_to_client(p, known);
  }
  return true;
}

bool sweep_nat(WorkerContext& worker, size_t slots, const Snapshot& snapshot, Time now) {
  NatTable& nat = *worker.nat;
  count_flows_by(snapshot, worker.scheduling);
  const size_t before = nat.size();
  const bool passed =
      nat.sweep(slots, now, [&](const NatSession& session) { return session_may_stay(session, snapshot); });
  worker.counters.count(Event::kNatSessionsExpired, before - nat.size());
  return passed;
}

}  // namespace maglb
