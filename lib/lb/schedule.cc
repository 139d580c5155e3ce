#include "lib/lb/schedule.h"

#include <algorithm>
#include <array>

#include "lib/lb/worker_context.h"

namespace maglb {
namespace {

constexpr uint32_t kTries = 8;
constexpr size_t kWalk = 64;

// Another backend than the first draw's, if a few more draws give one.
constexpr int kDraws = 4;

SipKey draws_key(const SipKey& key, uint32_t worker) {
  const std::array<uint8_t, 9> text = {
      's', 'c', 'h', 'e', 'd', static_cast<uint8_t>(worker), static_cast<uint8_t>(worker >> 8), 0, 0};
  return {siphash24(key, text), 0};
}

class Chooser {
 public:
  Chooser(const PoolView& pool, uint32_t slot, uint16_t own, Scheduling& scheduling)
      : pool_(pool), slot_(slot), own_(own), scheduling_(scheduling) {}

  uint16_t by_table(uint32_t attempt) const { return pool_.slots[(slot_ + attempt) % pool_.slots.size()]; }

  uint16_t by_scheduler(uint32_t attempt) const {
    switch (pool_.scheduler) {
      case Scheduler::kMaglev:
      case Scheduler::kSourceHash:
        break;
      case Scheduler::kRoundRobin:
        return pool_.candidates.in_turn(scheduling_.position(pool_, attempt)).place;
      case Scheduler::kLeastConnections:
        return less_loaded_of_two();
      case Scheduler::kRandom:
        return pool_.candidates.drawn(scheduling_.random()).place;
    }
    return by_table(attempt);
  }

  bool is_full(uint16_t place) const {
    if (pool_.max_flows.empty() || pool_.max_flows[place] == 0) {
      return false;
    }
    const uint32_t flows = flows_at(place);
    return flows - (place == own_ && flows != 0 ? 1 : 0) >= pool_.max_flows[place];
  }

  // The next candidates in a row, from one that depends on the flow. kNoBackend: all of those are full.
  uint16_t next_in_a_row() const {
    const size_t size = pool_.candidates.size();
    for (size_t i = 0; i < std::min(size, kWalk); ++i) {
      const uint16_t place = pool_.candidates[(slot_ + i) % size].place;
      if (!is_full(place)) {
        return place;
      }
    }
    return kNoBackend;
  }

 private:
  uint32_t flows_at(uint16_t place) const { return scheduling_.flows.total(pool_.backends[place].counter); }

  uint16_t less_loaded_of_two() const {
    const Candidate& a = pool_.candidates.drawn(scheduling_.random());
    const Candidate* b = &a;
    for (int i = 0; i < kDraws && b == &a; ++i) {
      b = &pool_.candidates.drawn(scheduling_.random());
    }
    const uint64_t load_of_a = (uint64_t{flows_at(a.place)} + 1) * b->weight;
    const uint64_t load_of_b = (uint64_t{flows_at(b->place)} + 1) * a.weight;
    return load_of_b < load_of_a ? b->place : a.place;
  }

  const PoolView& pool_;
  uint32_t slot_;
  uint16_t own_;
  Scheduling& scheduling_;
};

}  // namespace

Scheduling::Scheduling(uint32_t worker, uint32_t workers, const SipKey& key, size_t pools_limit,
                       size_t backends_limit, std::pmr::memory_resource* memory)
    : flows(backends_limit, memory),
      worker_(worker),
      workers_(workers),
      state_(draws_key(key, worker).k0),
      turns_(std::min<size_t>(pools_limit, kMaxPoolNumbers), memory) {}

Choice choose(Asking asking, const PoolView& pool, uint32_t slot, uint16_t own, WorkerContext& worker) {
  if (pool.goes_by_table() || worker.scheduling == nullptr) {
    return {pool.slots[slot]};
  }
  const Chooser chooser(pool, slot, own, *worker.scheduling);
  for (uint32_t attempt = 0; attempt < kTries; ++attempt) {
    const uint16_t place =
        asking == Asking::kNewFlow ? chooser.by_scheduler(attempt) : chooser.by_table(attempt);
    if (!chooser.is_full(place)) {
      return {place, attempt + 1};
    }
    if (attempt == 0) {
      worker.counters.backends[pool.backends[place].counter].refused.add(1);
    }
  }
  return {chooser.next_in_a_row(), 1};
}

void settle(const Choice& choice, const PoolView& pool, WorkerContext& worker) {
  if (pool.scheduler == Scheduler::kRoundRobin && worker.scheduling != nullptr) {
    worker.scheduling->take_turns(pool, choice.turns);
  }
}

}  // namespace maglb
