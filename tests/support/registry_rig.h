// A Registry on the bench: next hops that are counted, memory that is counted and may run out, and
// words for changes.
#pragma once

#include <map>
#include <memory>
#include <memory_resource>
#include <new>
#include <string>
#include <vector>

#include "lib/snapshot/view/registry.h"

namespace maglb::testing {

class CountingNextHops : public NextHopSource {
 public:
  Result<uint32_t> acquire(const IpAddress& backend, ForwardMode mode) override {
    if (held_in_all() >= limit) {
      return fail(ErrorKind::kInvalid, "no next hop is left");
    }
    const uint32_t index = 2u * backend.bytes[15] + (mode == ForwardMode::kL2 ? 1 : 0);
    ++held[index];
    return index;
  }
  void release(uint32_t index) override { --held.at(index); }
  size_t held_in_all() const {
    size_t sum = 0;
    for (const auto& [index, times] : held) {
      sum += times;
    }
    return sum;
  }
  std::map<uint32_t, size_t> held;
  size_t limit = 1'000'000;
};

class CountingMemory : public std::pmr::memory_resource {
 public:
  size_t held = 0;
  size_t limit = SIZE_MAX;

 private:
  void* do_allocate(size_t size, size_t alignment) override {
    if (size > limit - std::min(limit, held)) {
      throw std::bad_alloc();
    }
    held += size;
    return std::pmr::new_delete_resource()->allocate(size, alignment);
  }
  void do_deallocate(void* at, size_t size, size_t alignment) override {
    held -= size;
    std::pmr::new_delete_resource()->deallocate(at, size, alignment);
  }
  bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }
};

inline BackendSpec backend(const std::string& name, uint8_t last_byte,
                           BackendState state = BackendState::kUp) {
  return {name, IpAddress::v4(std::array<uint8_t, 4>{10, 0, 1, last_byte}), 100, state};
}

// Its table names the backends that are up in turn; where none is, those that are unhealthy.
inline std::shared_ptr<PoolSpec> pool(const std::string& name, std::vector<BackendSpec> backends) {
  auto spec = std::make_shared<PoolSpec>();
  spec->name = name;
  spec->backends = std::move(backends);
  std::vector<uint16_t> eligible;
  for (const BackendState state : {BackendState::kUp, BackendState::kUnhealthy}) {
    const bool none_yet = eligible.empty();
    for (uint16_t i = 0; none_yet && i < spec->backends.size(); ++i) {
      if (spec->backends[i].state == state) {
        eligible.push_back(i);
      }
    }
  }
  for (uint32_t i = 0; i < 13; ++i) {
    spec->slots.push_back(eligible.empty() ? kNoBackend : eligible[i % eligible.size()]);
  }
  return spec;
}

inline ServiceSpec service(const std::string& name, uint16_t port, const std::string& pool) {
  ServiceSpec spec;
  spec.name = name;
  spec.address = IpAddress::v4(std::array<uint8_t, 4>{198, 51, 100, 1});
  spec.port = port;
  spec.pool = pool;
  spec.opening_timeout = spec.established_timeout = spec.closing_timeout = spec.udp_timeout =
      std::chrono::seconds(10);
  return spec;
}

struct RegistryRig {
  explicit RegistryRig(Registry::Limits limits = {}) : registry(limits, next_hops, {&memory, &memory2}) {}

  // The change on top of what runs, or the whole state.
  Change change(bool whole = false) const {
    Change change;
    change.generation = registry.generation() + 1;
    change.base_generation = whole ? 0 : registry.generation();
    return change;
  }
  // Two pools (web: a, b; dns: n), a service on each.
  Change start() const {
    Change start = change(true);
    start.pools = {pool("web", {backend("a", 1), backend("b", 2)}), pool("dns", {backend("n", 3)})};
    start.services = {service("web", 80, "web"), service("dns", 53, "dns")};
    return start;
  }
  // Keeps the new snapshot as the current one. REQUIRES: the change is a good one.
  void apply(const Change& change) { current = std::move(registry.apply(change).value()); }
  void apply_pool(std::shared_ptr<const PoolSpec> spec) {
    Change next = change();
    next.pools = {std::move(spec)};
    apply(next);
  }
  const Snapshot& snapshot(size_t socket = 0) const { return *current.snapshots[socket]; }
  const ServiceView* service_at(uint16_t port) const {
    FlowKey flow;
    flow.destination = service("", port, "").address.address;
    flow.protocol = Protocol::kTcp;
    flow.destination_port = Be16(port);
    return snapshot().services().find(flow);
  }
  const PoolView* pool_at(uint16_t port) const { return snapshot().pool(service_at(port)->pool); }
  std::optional<uint16_t> place_of(uint16_t port, uint8_t last_byte) const {
    const PoolView& view = *pool_at(port);
    for (uint16_t i = 0; i < view.backends.size(); ++i) {
      if (view.backends[i].address.bytes[15] == last_byte && view.backends[i].state != PlaceState::kVacant &&
          view.backends[i].state != PlaceState::kRemoved) {
        return i;
      }
    }
    return std::nullopt;
  }
  // As many rounds as free what no flow is kept of.
  void sweep(bool in_use = false) {
    for (int i = 0; i < 3; ++i) {
      registry.collect(rounds++, [&](BackendId) { return in_use; });
    }
  }

  CountingNextHops next_hops;
  CountingMemory memory;
  CountingMemory memory2;
  uint64_t rounds = 0;
  Registry registry;
  Registry::Applied current;
};

}  // namespace maglb::testing
