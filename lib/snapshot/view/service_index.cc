#include "lib/snapshot/view/service_index.h"

#include <algorithm>
#include <bit>

#include "lib/base/check.h"

namespace maglb {

ServiceIndex::ServiceIndex(std::span<const Service> services, std::pmr::memory_resource* memory)
    : cells_(memory), displacements_(memory), size_(services.size()), addresses_(memory) {
  for (const Service& service : services) {
    check(service.protocol != Protocol::kAny, "a service has a protocol");
    addresses_.insert(service.address);
  }
  size_t cells = std::bit_ceil(2 * services.size() + 2);
  constexpr int kSeeds = 16;
  for (int attempt = 0;; ++attempt) {
    cells_.assign(cells, Cell{});
    displacements_.assign(cells / 4 + 1, 0);
    cell_mask_ = cells - 1;
    group_mask_ = std::bit_floor(displacements_.size()) - 1;
    seed_ = static_cast<uint64_t>(attempt) * 0xd1342543de82ef95 + 1;
    if (place(services)) {
      return;
    }
    cells *= attempt % kSeeds == kSeeds - 1 ? 2 : 1;
    check(attempt < 8 * kSeeds, "services were checked to differ");
  }
}

// The largest groups first, while there is most room.
bool ServiceIndex::place(std::span<const Service> services) {
  std::vector<std::vector<std::pair<uint64_t, Cell>>> groups(group_mask_ + 1);
  for (const Service& service : services) {
    FlowKey flow;
    flow.protocol = service.protocol;
    flow.destination_port = service.port;
    const Key key = Key::of(service.address, flow.rest() >> 16);
    groups[group_of(hash(key))].push_back({hash(key), {key, service.view}});
  }
  std::vector<size_t> order(groups.size());
  for (size_t i = 0; i < order.size(); ++i) {
    order[i] = i;
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return groups[a].size() > groups[b].size(); });
  std::vector<size_t> taken;
  for (const size_t group : order) {
    const auto fits = [&](uint32_t displacement) {
      taken.clear();
      for (const auto& [h, cell] : groups[group]) {
        const size_t at = cell_of(h, displacement);
        if (cells_[at].key.rest != 0 || std::find(taken.begin(), taken.end(), at) != taken.end()) {
          return false;
        }
        taken.push_back(at);
      }
      return true;
    };
    uint32_t displacement = 0;
    while (!fits(displacement)) {
      if (++displacement > cell_mask_) {
        return false;
      }
    }
    displacements_[group] = displacement;
    for (size_t i = 0; i < taken.size(); ++i) {
      cells_[taken[i]] = groups[group][i].second;
    }
  }
  return true;
}

const ServiceView* ServiceIndex::find(const IpAddress& address, Protocol protocol, Be16 port) const {
  if (protocol == Protocol::kAny) {
    return nullptr;  // with port 0 and no address it would be the key of an empty cell
  }
  FlowKey flow;
  flow.destination = address;
  flow.protocol = protocol;
  flow.destination_port = port;
  return find(flow);
}

}  // namespace maglb
