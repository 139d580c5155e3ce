#include "lib/flow/nat_table.h"

#include <algorithm>
#include <bit>

#include "lib/base/check.h"
#include "lib/flow/nat_stream.h"

namespace maglb {
namespace {

constexpr uint32_t kNoSlot = NatSession::kNoSlot;
constexpr size_t kProtocols = 2;

// How many addresses are tried whose ports are all taken, before a flow is refused.
constexpr uint32_t kTries = 8;

// 64 bits of both, each of which moves all of them (SelectionHash's mix).
uint64_t mix(uint64_t a, uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<uint64_t>(product >> 64) ^ static_cast<uint64_t>(product);
}

// `hash` as a number below `end`.
uint32_t below(uint32_t end, uint32_t hash) {
  return static_cast<uint32_t>((uint64_t{hash} * end) >> 32);
}

size_t chains_for(size_t slots) {
  return std::bit_ceil(slots);
}

}  // namespace

size_t NatTable::size_bytes_for(size_t addresses, uint32_t ports, uint32_t workers) {
  const size_t pools = kProtocols * addresses;
  const size_t slots = pools * (ports / workers);
  const size_t alignments = 4 * alignof(NatSession);
  return slots * (sizeof(NatSession) + sizeof(uint16_t)) + chains_for(slots) * sizeof(uint32_t) +
         pools * sizeof(Pool) + alignments;
}

NatTable::NatTable(const NatPorts& ports, uint32_t worker, const SipKey& key, Duration quarantine,
                   std::pmr::memory_resource* memory)
    : ports_(ports),
      share_(ports.share()),
      first_port_(ports.first_port(worker)),
      key_(key),
      quarantine_(quarantine),
      sessions_(kProtocols * ports.addresses().size() * ports.share(), memory),
      chains_(chains_for(sessions_.size()), kNoSlot, memory),
      free_(sessions_.size(), memory),
      pools_(kProtocols * ports.addresses().size(), memory) {
  check(worker < ports.workers(), "a worker of these ports");
  chain_mask_ = chains_.size() - 1;
  for (size_t slot = 0; slot < free_.size(); ++slot) {
    free_[slot] = static_cast<uint16_t>(slot % share_);
  }
  for (Pool& pool : pools_) {
    pool.free = share_;
  }
}

const NatSession* NatTable::in_chain(const FlowKey& key, uint32_t service_id,
                                     const FlowDigest& digest) const {
  for (uint32_t slot = chains_[chain_of(digest)]; slot != kNoSlot; slot = sessions_[slot].chain_next) {
    if (sessions_[slot].is_of(key, service_id)) {
      return &sessions_[slot];
    }
  }
  return nullptr;
}

const NatSession* NatTable::at_port(uint8_t nat_index, uint16_t port, Protocol protocol, Tick now) const {
  const uint32_t offset = uint32_t{port} - first_port_;  // wraps around, and is too big then
  if (offset >= share_ || nat_index >= ports_.addresses().size()) {
    return nullptr;
  }
  const NatSession& session = sessions_[(first_pool(protocol) + nat_index) * share_ + offset];
  return session.is_live() && !session.expires.reached(now) ? &session : nullptr;
}

NatSession* NatTable::find(const FlowKey& key, uint32_t service_id, const FlowDigest& digest, Time now) {
  auto* const session = const_cast<NatSession*>(in_chain(key, service_id, digest));
  if (session != nullptr && session->expires.reached(Tick::at(now))) {
    expire(*session, now);
    return nullptr;
  }
  return session;
}

NatSession* NatTable::find_reply(uint8_t nat_index, uint16_t port, Protocol protocol, Tick now) {
  return const_cast<NatSession*>(at_port(nat_index, port, protocol, now));
}

const NatSession* NatTable::look(const FlowKey& key, uint32_t service_id, const FlowDigest& digest,
                                 Tick now) const {
  const NatSession* const session = in_chain(key, service_id, digest);
  return session != nullptr && !session->expires.reached(now) ? session : nullptr;
}

const NatSession* NatTable::look_reply(const FlowKey& reply, Tick now) const {
  const auto index = ports_.index_of(reply.destination);
  const NatSession* const session =
      index ? at_port(*index, reply.destination_port.host(), reply.protocol, now) : nullptr;
  return session != nullptr && session->is_reply(reply) ? session : nullptr;
}

void NatTable::adopt(const NatSession& session, const FlowDigest& digest) {
  const auto index = ports_.index_of(session.nat);
  const uint32_t offset = uint32_t{session.nat_port.host()} - first_port_;
  check(index.has_value() && offset < share_ && session.is_live(), "a live session of this table's port");
  const size_t number = first_pool(session.protocol) + *index;
  Pool& pool = pools_[number];
  uint16_t* const first_free = &free_[number * share_];
  uint16_t* const port = std::find(first_free, first_free + pool.free, offset);
  check(port != first_free + pool.free, "a free port");
  *port = first_free[--pool.free];
  const auto slot = static_cast<uint32_t>(number * share_ + offset);
  sessions_[slot] = session;
  sessions_[slot].nat_index = *index;
  sessions_[slot].place = static_cast<uint32_t>(chain_of(digest));
  link_chain(slot);
  if (session.state == NatState::kOpening) {
    link_opening(slot);
  }
  count(session, 1);
}

void NatTable::prefetch_reply(uint8_t nat_index, uint16_t port, Protocol protocol) const {
  const uint32_t offset = uint32_t{port} - first_port_;
  if (offset < share_ && nat_index < ports_.addresses().size()) {
    const NatSession* session = &sessions_[(first_pool(protocol) + nat_index) * share_ + offset];
    __builtin_prefetch(session, 1);
    __builtin_prefetch(reinterpret_cast<const uint8_t*>(session) + 64, 1);
  }
}

NatTable::Opened NatTable::open(const NatFlow& flow, Duration timeout, Time now) {
  const auto number = pool_for(flow.key.protocol, flow.backend.is_v4(), flow.digest);
  if (!number) {
    return {};
  }
  Pool* const pool = &pools_[*number];
  const bool replaced = make_room(*pool);
  const uint32_t slot = take_port(*pool, flow.digest);
  NatSession& session = sessions_[slot];
  fill(session, slot, flow);
  link_chain(slot);
  link_opening(slot);
  count(session, 1);
  renew(session, timeout, now);
  return {&session, replaced ? NatOpening::kReplaced : NatOpening::kOpened};
}

// The first of some in a row that has a free port, or a session that may be replaced.
std::optional<size_t> NatTable::pool_for(Protocol protocol, bool is_v4, const FlowDigest& digest) const {
  const NatPorts::Family family = ports_.family(is_v4);
  const uint32_t start = below(family.count, static_cast<uint32_t>(digest.identity >> 32));
  for (uint32_t i = 0; i < std::min(kTries, family.count); ++i) {
    const size_t number = first_pool(protocol) + family.first + (start + i) % family.count;
    if (pools_[number].free > 0 || pools_[number].opening > 0) {
      return number;
    }
  }
  return std::nullopt;
}

size_t NatTable::size() const {
  size_t sum = 0;
  for (const auto& live : live_) {
    sum += live.load(std::memory_order_relaxed);
  }
  return sum;
}

// True: a session had to go.
bool NatTable::make_room(Pool& pool) {
  if (pool.free > 0 && pool.opening < max_opening()) {
    return false;
  }
  NatSession& oldest = sessions_[pool.oldest];
  unlink(oldest);
  free(oldest);
  return true;
}

uint32_t NatTable::take_port(Pool& pool, const FlowDigest& digest) {
  const size_t first = static_cast<size_t>(&pool - pools_.data()) * share_;
  const uint64_t random = mix(digest.identity ^ key_.k0, (++opened_ * 0x9e3779b97f4a7c15) ^ key_.k1);
  uint16_t& chosen = free_[first + below(pool.free, static_cast<uint32_t>(random >> 32))];
  const auto slot = static_cast<uint32_t>(first + chosen);
  chosen = free_[first + --pool.free];
  return slot;
}

void NatTable::give_port(uint32_t slot) {
  Pool& pool = pool_of(slot);
  const uint32_t offset = slot % share_;
  free_[slot - offset + pool.free++] = static_cast<uint16_t>(offset);
}

void NatTable::fill(NatSession& session, uint32_t slot, const NatFlow& flow) {
  session = NatSession();
  session.client = flow.key.source;
  session.service = flow.key.destination;
  session.client_port = flow.key.source_port;
  session.service_port = flow.key.destination_port;
  session.protocol = flow.key.protocol;
  session.service_id = flow.service_id;
  session.backend_id = flow.backend_id;
  session.backend = flow.backend;
  session.backend_port = flow.backend_port;
  session.nat_index = static_cast<uint8_t>(slot / share_ % ports_.addresses().size());
  session.nat = ports_.addresses()[session.nat_index];
  session.nat_port = Be16(static_cast<uint16_t>(first_port_ + slot % share_));
  if (flow.proxy_header && session.is_tcp()) {
    session.header_length = static_cast<uint8_t>(proxy_endpoints(session).length());
  }
  session.place = static_cast<uint32_t>(chain_of(flow.digest));
  session.state = NatState::kOpening;
}

void NatTable::link_chain(uint32_t slot) {
  uint32_t& head = chains_[sessions_[slot].place];
  sessions_[slot].chain_next = head;
  head = slot;
}

void NatTable::unlink_chain(uint32_t slot) {
  uint32_t* link = &chains_[sessions_[slot].place];
  while (*link != slot) {
    link = &sessions_[*link].chain_next;
  }
  *link = sessions_[slot].chain_next;
}

void NatTable::link_opening(uint32_t slot) {
  Pool& pool = pool_of(slot);
  sessions_[slot].older = pool.newest;
  sessions_[slot].newer = kNoSlot;
  (pool.newest == kNoSlot ? pool.oldest : sessions_[pool.newest].newer) = slot;
  pool.newest = slot;
  ++pool.opening;
  ++opening_;
}

void NatTable::unlink_opening(uint32_t slot) {
  Pool& pool = pool_of(slot);
  const NatSession& session = sessions_[slot];
  (session.older == kNoSlot ? pool.oldest : sessions_[session.older].newer) = session.newer;
  (session.newer == kNoSlot ? pool.newest : sessions_[session.newer].older) = session.older;
  --pool.opening;
  --opening_;
}

// Out of whatever a live session is in. Its state is the caller's to change.
void NatTable::unlink(NatSession& session) {
  unlink_chain(slot_of(session));
  if (session.state == NatState::kOpening) {
    unlink_opening(slot_of(session));
  }
  count(session, -1);
}

void NatTable::establish(NatSession& session) {
  if (session.state == NatState::kOpening) {
    unlink_opening(slot_of(session));
    session.state = NatState::kEstablished;
  }
}

void NatTable::close(NatSession& session, Duration timeout, Time now) {
  if (session.state == NatState::kOpening) {
    unlink_opening(slot_of(session));
  }
  session.state = NatState::kClosing;
  renew(session, timeout, now);
}

void NatTable::erase(NatSession& session, Time now) {
  unlink(session);
  session.state = NatState::kQuarantine;
  renew(session, quarantine_, now);
}

void NatTable::free(NatSession& session) {
  session.state = NatState::kFree;
  give_port(slot_of(session));
}

void NatTable::repeat(const NatSession& session) {
  if (session.state == NatState::kOpening && backend_flows_ != nullptr) {
    backend_flows_->signal(session.backend_id, Signal::kRepeated);
  }
}

void NatTable::refuse(NatSession& session) {
  if (session.state == NatState::kOpening && !session.has(kNatRefused) && backend_flows_ != nullptr) {
    session.set(kNatRefused);
    backend_flows_->signal(session.backend_id, Signal::kRefused);
  }
}

// What was refused has its signal; what was answered and went no further is the client's doing.
void NatTable::lapse(const NatSession& session) {
  if (session.state == NatState::kOpening && session.is_tcp() && !session.has(kNatRefused) &&
      !session.has(kNatBackendSyn) && backend_flows_ != nullptr) {
    backend_flows_->signal(session.backend_id, Signal::kLapsed);
  }
}

// A session that was closing has been kept for as long as its port had to rest.
void NatTable::expire(NatSession& session, Time now) {
  if (session.state == NatState::kQuarantine) {
    return free(session);
  }
  if (session.state == NatState::kClosing) {
    unlink(session);
    return free(session);
  }
  lapse(session);
  erase(session, now);
}

}  // namespace maglb
