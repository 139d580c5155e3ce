// One worker's NAT sessions: by the client's flow, and by the address and port that replies come to.
//
// Memory, all from one std::pmr resource at construction, nothing later:
//   sessions   128 bytes for each port of the worker's share, of each address, for TCP and for UDP: the slot
//              (protocol, address, port) is where its session lies, so a reply needs no search
//   chains     4 bytes for each slot, rounded up to a power of two: heads of chains of sessions by the flow's
//              keyed digest; a chain's length is chance, nobody outside can aim at one
//   free       2 bytes for each slot: the free ports of each address and protocol (a pool), in any order
// 64,512 ports of one address take 17.3 MB over all workers.
//
// Invariants:
//   1. A slot is free, of one session, or in quarantine; its port is among the free ones of its pool if it is
//      free, and only then.
//   2. A live session is in the chain of its flow, and no other is of the same flow. Sessions never move, so
//      every pass of the sweep has seen every session that was there when it began.
//   3. In each pool opening sessions are at most half of the ports (one at least). Where they are, or where
//      no port is free, a new session replaces the oldest opening one, and never one of another state: a SYN
//      flood takes no port from an established session, and half of them are for clients who answer.
//   4. A port goes to another session only when the time has passed that a closing session is kept, or the
//      quarantine for one that expired or was erased. Only what is replaced by (3) is free at once.
//
// Which port: a random one of the free ones, by a keyed hash of flow and count (after RFC 6056): who does not
// know the key cannot tell the next. Which address: by the flow's digest; the next ones if its ports are all
// taken by sessions that may not be replaced.
//
// What it does not do: wait for the end of a backend's TIME_WAIT, a minute with Linux, which would leave an
// address 1,000 new connections a second. A backend in that state takes a SYN whose number or timestamp is
// higher (RFC 6191). It answers another one with an ACK, which the client resets; its next SYN goes from
// another port.
//
// Threads: all of it is the owner's alone, but for how many sessions there are.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <optional>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/siphash.h"
#include "lib/flow/backend_flows.h"
#include "lib/flow/flow_digest.h"
#include "lib/flow/nat_ports.h"
#include "lib/flow/nat_session.h"

namespace maglb {

// A flow that a session is opened for.
struct NatFlow {
  FlowKey key;        // as the client sends
  FlowDigest digest;  // of key and service id
  uint32_t service_id = 0;
  BackendId backend_id;
  IpAddress backend;
  Be16 backend_port;
  bool proxy_header = false;  // the backend is to read one first; only with TCP
};

enum class NatOpening : uint8_t {
  kOpened,
  kReplaced,  // opened in the place of an opening session
  kNoPort,    // no address of the backend's family, or all ports are taken; nothing changed
};

class NatTable {
 public:
  struct Opened {
    NatSession* session = nullptr;  // null with kNoPort
    NatOpening how = NatOpening::kNoPort;
  };
  // How long a port rests after its session has gone by a reset, its timeout or erase().
  static constexpr Duration kDefaultQuarantine = std::chrono::seconds(1);

  // What a worker's table asks of its memory resource, alignment included.
  static size_t size_bytes_for(size_t addresses, uint32_t ports, uint32_t workers);

  // `ports` outlives the table. REQUIRES: worker < ports.workers().
  NatTable(const NatPorts& ports, uint32_t worker, const SipKey& key, Duration quarantine,
           std::pmr::memory_resource* memory);
  NatTable(const NatTable&) = delete;
  NatTable& operator=(const NatTable&) = delete;

  // From now on live sessions are counted by their backends there, too, and what they tell of them; null:
  // they are not.
  void count_in(BackendFlows* flows) { backend_flows_ = flows; }

  // The session of the client's flow; null: none, or it has expired, and is gone then.
  NatSession* find(const FlowKey& key, uint32_t service_id, const FlowDigest& digest, Time now);
  void prefetch(const FlowDigest& digest) const { __builtin_prefetch(&chains_[chain_of(digest)]); }

  // The session that a packet to this nat address (by its index) and port belongs to; null: none, one that
  // has expired, or a port that is not the worker's. The caller compares the packet's source with the
  // session's backend.
  NatSession* find_reply(uint8_t nat_index, uint16_t port, Protocol protocol, Tick now);
  void prefetch_reply(uint8_t nat_index, uint16_t port, Protocol protocol) const;

  // As find() and find_reply(), for who only asks: what has expired stays. Of a reply, its source is
  // compared.
  const NatSession* look(const FlowKey& key, uint32_t service_id, const FlowDigest& digest, Tick now) const;
  const NatSession* look_reply(const FlowKey& reply, Tick now) const;

  // Whether open() would find a port for a flow with that digest.
  bool has_port(Protocol protocol, bool is_v4, const FlowDigest& digest) const {
    return pool_for(protocol, is_v4, digest).has_value();
  }

  // A copy of a live session of another table, under the same address and port. REQUIRES: the port is this
  // table's and free; `digest` is that of the session's flow.
  void adopt(const NatSession& session, const FlowDigest& digest);

  // An opening session that expires after `timeout`. REQUIRES: find() has just found none; TCP: for a SYN,
  // as any other packet would make no sense to the backend. track_client() is to see the packet, too.
  Opened open(const NatFlow& flow, Duration timeout, Time now);

  // Deadline and state, on behalf of nat_track.h.
  void renew(NatSession& session, Duration timeout, Time now) {
    session.expires = Deadline::after(now, timeout);
  }
  // REQUIRES: opening or established.
  void establish(NatSession& session);
  // Keeps the session for `timeout` as one that is closing. REQUIRES: a live one.
  void close(NatSession& session, Duration timeout, Time now);
  Duration quarantine() const { return quarantine_; }
  // Signals of the session's backend (backend_signals.h), while it is opening: a SYN once more, and that the
  // session was refused, which counts once.
  void repeat(const NatSession& session);
  void refuse(NatSession& session);

  // Ends a live session, for instance one that is closing when its client opens the same flow again: the port
  // rests.
  void erase(NatSession& session, Time now);

  // Goes over the next `slots` slots: ends what is expired and every live session of which
  // `keep(const NatSession&)` is false, and frees ports that have rested. True when that ended a pass; at
  // most one pass ends in one call. REQUIRES: a pass takes less than an hour (Deadline).
  template <typename Keep>
  bool sweep(size_t slots, Time now, Keep keep);

  const NatPorts& ports() const { return ports_; }
  size_t capacity() const { return sessions_.size(); }
  // Live sessions, expired ones that nobody has seen yet included. Any thread.
  size_t size(Protocol protocol, bool is_v4) const {
    return live_[kind_of(protocol, is_v4)].load(std::memory_order_relaxed);
  }
  size_t size() const;
  // As many sessions of a protocol as there can be from the addresses of a family. Any thread.
  size_t capacity(bool is_v4) const { return size_t{ports_.family(is_v4).count} * share_; }
  size_t opening() const { return opening_; }

 private:
  // The ports of one address and protocol.
  struct Pool {
    uint32_t free = 0;  // how many
    uint32_t opening = 0;
    uint32_t oldest = NatSession::kNoSlot;  // of the opening ones
    uint32_t newest = NatSession::kNoSlot;
  };

  size_t chain_of(const FlowDigest& digest) const { return digest.place & chain_mask_; }
  uint32_t slot_of(const NatSession& session) const {
    return static_cast<uint32_t>(&session - sessions_.data());
  }
  Pool& pool_of(uint32_t slot) { return pools_[slot / share_]; }
  static size_t kind_of(Protocol protocol, bool is_v4) { return 2 * pool_row(protocol) + (is_v4 ? 0 : 1); }
  static size_t pool_row(Protocol protocol) { return protocol == Protocol::kTcp ? 0 : 1; }
  size_t first_pool(Protocol protocol) const { return pool_row(protocol) * ports_.addresses().size(); }
  uint32_t max_opening() const { return share_ < 2 ? 1 : share_ / 2; }

  const NatSession* in_chain(const FlowKey& key, uint32_t service_id, const FlowDigest& digest) const;
  const NatSession* at_port(uint8_t nat_index, uint16_t port, Protocol protocol, Tick now) const;
  std::optional<size_t> pool_for(Protocol protocol, bool is_v4, const FlowDigest& digest) const;
  bool make_room(Pool& pool);
  uint32_t take_port(Pool& pool, const FlowDigest& digest);
  void give_port(uint32_t slot);
  void fill(NatSession& session, uint32_t slot, const NatFlow& flow);
  void link_chain(uint32_t slot);
  void unlink_chain(uint32_t slot);
  void link_opening(uint32_t slot);
  void unlink_opening(uint32_t slot);
  void unlink(NatSession& session);
  void free(NatSession& session);
  void expire(NatSession& session, Time now);
  void lapse(const NatSession& session);
  // A live session more or less.
  void count(const NatSession& session, int change) {
    std::atomic<size_t>& live = live_[kind_of(session.protocol, session.nat.is_v4())];
    live.store(live.load(std::memory_order_relaxed) + static_cast<size_t>(change), std::memory_order_relaxed);
    if (backend_flows_ != nullptr) {
      backend_flows_->add(session.backend_id, change);
    }
  }

  const NatPorts& ports_;
  uint32_t share_;
  uint16_t first_port_;
  SipKey key_;
  Duration quarantine_;
  uint64_t opened_ = 0;
  std::array<std::atomic<size_t>, 4> live_{};  // by kind_of()
  size_t opening_ = 0;
  BackendFlows* backend_flows_ = nullptr;
  size_t sweep_position_ = 0;
  uint64_t chain_mask_;
  std::pmr::vector<NatSession> sessions_;
  std::pmr::vector<uint32_t> chains_;
  std::pmr::vector<uint16_t> free_;
  std::pmr::vector<Pool> pools_;
};

template <typename Keep>
bool NatTable::sweep(size_t slots, Time now, Keep keep) {
  const Tick tick = Tick::at(now);
  for (; slots > 0; --slots) {
    NatSession& session = sessions_[sweep_position_];
    if (session.state != NatState::kFree) {
      if (session.expires.reached(tick)) {
        expire(session, now);
      } else if (session.is_live() && !keep(static_cast<const NatSession&>(session))) {
        erase(session, now);
      }
    }
    if (++sweep_position_ == sessions_.size()) {
      sweep_position_ = 0;
      return true;
    }
  }
  return false;
}

}  // namespace maglb
