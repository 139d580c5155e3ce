#include "lib/snapshot/view/registry_build.h"

#include <algorithm>
#include <set>

#include "lib/base/check.h"

namespace maglb {
namespace {

std::set<std::string_view> pools_that_keep(const Services& services) {
  std::set<std::string_view> names;
  for (const auto& [identity, service] : services) {
    if (service.spec.keep_on_failure) {
      names.insert(service.spec.pool);
    }
  }
  return names;
}

}  // namespace

void build_views(Records& pools, const Services& services,
                 const std::vector<std::pmr::memory_resource*>& sockets) {
  const std::set<std::string_view> keeping = pools_that_keep(services);
  for (auto& [name, record] : pools) {
    const bool keep = keeping.contains(name);
    if (record->removed || (!record->views.empty() && record->keep_on_failure == keep)) {
      continue;
    }
    PoolRecord next = *record;
    if (next.keep_on_failure && !keep) {
      wait_anew(next);
    }
    next.keep_on_failure = keep;
    next.views.clear();
    for (std::pmr::memory_resource* memory : sockets) {
      next.views.push_back(view_of(next, memory));
    }
    record = std::make_shared<const PoolRecord>(std::move(next));
  }
}

std::shared_ptr<const ServiceIndex> index_of(const Services& services, const Records& pools,
                                             std::pmr::memory_resource* memory) {
  std::vector<ServiceIndex::Service> list;
  for (const auto& [identity, service] : services) {
    const ServiceSpec& spec = service.spec;
    ServiceView view;
    view.id = service.id;
    view.counter = service.counter;
    view.pool = pools.find(spec.pool)->second->number;
    view.forward = spec.forward;
    view.keep_on_failure = spec.keep_on_failure;
    view.track_flows = spec.track_flows;
    const Duration timeouts[] = {spec.opening_timeout, spec.established_timeout, spec.closing_timeout,
                                 spec.udp_timeout};
    for (size_t state = 0; state < std::size(timeouts); ++state) {
      view.timeouts.set(state, timeouts[state]);
    }
    list.push_back({spec.address, spec.protocol, spec.port, view, spec.options});
  }
  return std::allocate_shared<ServiceIndex>(std::pmr::polymorphic_allocator<ServiceIndex>(memory), list,
                                            memory);
}

std::unique_ptr<const Snapshot> snapshot_of(uint64_t generation, std::shared_ptr<const ServiceIndex> index,
                                            const Records& records, size_t socket,
                                            std::pmr::memory_resource* memory) {
  Snapshot::Pools pools(memory);
  Snapshot::GonePools gone(memory);
  bool has_removed = false;
  for (const auto& [name, record] : records) {
    has_removed = has_removed || record->has_removed;
    if (!record->removed) {
      pools.resize(std::max<size_t>(pools.size(), record->number + size_t{1}));
      pools[record->number] = record->views[socket];
      continue;
    }
    std::pmr::vector<uint32_t>& counters = gone.emplace_back().second;
    gone.back().first = record->number;
    for (const PlaceRecord& place : record->places) {
      counters.push_back(place.counter);
    }
  }
  return std::make_unique<Snapshot>(generation, std::move(index), std::move(pools), has_removed,
                                    std::move(gone));
}

}  // namespace maglb
