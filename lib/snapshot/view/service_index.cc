#include "lib/snapshot/view/service_index.h"

#include <algorithm>
#include <bit>

#include "lib/base/check.h"

namespace maglb {

namespace {

bool is_exact(const ServiceIndex::Service& service) {
  return service.address.is_single() && service.protocol != Protocol::kAny && service.port.is_single();
}

uint8_t special_of(const ServiceIndex::Service& service) {
  const ServiceOptions& options = service.options;
  const bool filters = !options.source_allow.empty() || !options.source_deny.empty();
  return static_cast<uint8_t>((filters ? ServiceView::kFilterSource : 0) |
                              (options.mss != 0 ? ServiceView::kClampMss : 0) |
                              (!options.quic.empty() ? ServiceView::kRouteQuic : 0) |
                              (service.view.forward == ForwardMode::kNat ? ServiceView::kTranslate : 0));
}

}  // namespace

ServiceIndex::ServiceIndex(std::span<const Service> services, std::pmr::memory_resource* memory)
    : cells_(memory),
      displacements_(memory),
      size_(services.size()),
      addresses_(memory),
      extras_(memory),
      wide_views_(memory),
      pings_(memory) {
  extras_.emplace_back(ServiceOptions{}, memory);
  std::vector<Exact> exact;
  std::vector<WideServices::Rule> wide;
  for (const Service& service : services) {
    const ServiceView view = view_of(service);
    if (service.address.is_single()) {
      addresses_.insert(service.address.address);
    }
    if (is_exact(service)) {
      exact.push_back({key_of(service.address.address, service.protocol, Be16(service.port.first)), view});
    } else {
      wide.push_back(
          {service.address, service.protocol, service.port, static_cast<uint32_t>(wide_views_.size())});
      wide_views_.push_back(view);
    }
    if (service.options.forward_ping && service.address.is_single()) {
      pings_.try_emplace(service.address.address, view);
    }
    wide_pings_ = wide_pings_ || (service.options.forward_ping && !service.address.is_single());
  }
  wide_.emplace(std::move(wide), memory);
  place_all(exact);
}

// Services without options share the first of the extras.
ServiceView ServiceIndex::view_of(const Service& service) {
  ServiceView view = service.view;
  view.special = special_of(service);
  view.extra = 0;
  if (service.options != ServiceOptions{}) {
    view.extra = static_cast<uint16_t>(extras_.size());
    extras_.emplace_back(service.options, extras_.get_allocator().resource());
  }
  return view;
}

void ServiceIndex::place_all(const std::vector<Exact>& services) {
  size_t cells = std::bit_ceil(2 * services.size() + 2);
  constexpr int kSeeds = 16;
  for (int attempt = 0;; ++attempt) {
    cells_.assign(cells, Cell{});
    displacements_.assign(cells / 4 + 1, 0);
    cell_mask_ = cells - 1;
    group_mask_ = std::bit_floor(displacements_.size()) - 1;
    seed_ = static_cast<uint64_t>(attempt) * 0xd1342543de82ef95 + 1;
    high_seed_ = 0xbf58476d1ce4e5b9 ^ (static_cast<uint64_t>(attempt) * 0x94d049bb133111eb);
    if (place(services)) {
      return;
    }
    cells *= attempt % kSeeds == kSeeds - 1 ? 2 : 1;
    check(attempt < 8 * kSeeds, "services were checked to differ");
  }
}

// The largest groups first, while there is most room.
bool ServiceIndex::place(const std::vector<Exact>& services) {
  std::vector<std::vector<std::pair<uint64_t, Cell>>> groups(group_mask_ + 1);
  for (const Exact& service : services) {
    const uint64_t h = hash(service.key);
    groups[group_of(h)].push_back({h, {service.key, service.view}});
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

ServiceIndex::Key ServiceIndex::key_of(const IpAddress& address, Protocol protocol, Be16 port) {
  FlowKey flow;
  flow.protocol = protocol;
  flow.destination_port = port;
  return Key::of(address, flow.rest() >> 16);
}

const ServiceView* ServiceIndex::find_wide(const FlowKey& flow) const {
  const uint32_t found = wide_->find(flow);
  return found == WideServices::kNone ? nullptr : &wide_views_[found];
}

const ServiceView* ServiceIndex::wants_ping(const IpAddress& address) const {
  if (const auto at = pings_.find(address); at != pings_.end()) {
    return &at->second;
  }
  // An address that some service has for itself is not asked of the prefixes around it.
  if (!wide_pings_ || addresses_.contains(address)) {
    return nullptr;
  }
  const ServiceView* wanting = nullptr;
  wide_->visit(address, [&](uint32_t service) {
    const ServiceView& first = wide_views_[service];
    wanting = extra(first).forward_ping ? &first : nullptr;
    return true;
  });
  return wanting;
}

}  // namespace maglb
