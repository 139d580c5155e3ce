#include "dataplane/next_hops.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <functional>
#include <utility>

#include "lib/bpf/attachment.h"

namespace maglb {
namespace {

// Without a kernel to ask every backend is reached the same way.
constexpr uint32_t kConfiguredIndex = 0;

}  // namespace

NextHops::NextHops(std::vector<Link> links, NextHopTable& table) : links_(std::move(links)), table_(table) {
  for (size_t i = 0; i < links_.size() && !configured_; ++i) {
    if (!links_[i].has_kernel() && links_[i].next_hop_mac) {
      configured_ = NextHop{*links_[i].next_hop_mac, static_cast<uint8_t>(i)};
    }
  }
  look_up_interfaces();
}

Result<std::unique_ptr<NextHops>> NextHops::create(std::vector<Link> links, NextHopTable& table) {
  if (links.size() > kMaxLinks) {
    return fail(ErrorKind::kInvalid, fmt::format("{} links are more than {}", links.size(), kMaxLinks));
  }
  std::unique_ptr<NextHops> hops(new NextHops(std::move(links), table));
  if (std::any_of(hops->links_.begin(), hops->links_.end(), std::mem_fn(&Link::has_kernel))) {
    NextHopOptions options;
    options.capacity = static_cast<uint32_t>(table.limit());
    auto monitor = NextHopMonitor::create(
        [self = hops.get()](uint32_t index, const NextHopState& state) { self->take(index, state); },
        options);
    if (!monitor) {
      return tl::unexpected(std::move(monitor.error()).within("next hops"));
    }
    hops->monitor_ = std::move(*monitor);
  } else if (hops->configured_) {
    table.set(kConfiguredIndex, *hops->configured_);
  } else {
    spdlog::warn("no port has a kernel interface or a next_hop_mac: nothing can be sent to a backend");
  }
  return hops;
}

Result<uint32_t> NextHops::acquire(const IpAddress& backend, ForwardMode mode) {
  if (!monitor_) {
    return kConfiguredIndex;
  }
  const auto kind = mode == ForwardMode::kL2 ? NextHopKind::kDirect : NextHopKind::kRouted;
  auto index = monitor_->acquire(backend, kind);
  if (index) {
    // The word of a new index is still its former owner's, until the first report.
    take(*index, monitor_->state(*index));
  }
  return index;
}

// The word stays until the index is somebody else's: workers may still send what they hold.
void NextHops::release(uint32_t index) {
  if (monitor_) {
    monitor_->release(index);
  }
}

void NextHops::poll_once(Time now) {
  if (!monitor_) {
    return;
  }
  monitor_->poll_once(now);
  if (std::exchange(rounds_, monitor_->rounds()) != monitor_->rounds() && look_up_interfaces()) {
    monitor_->for_each([this](uint32_t index, const NextHopState& state) { take(index, state); });
  }
}

// True when an index changed.
bool NextHops::look_up_interfaces() {
  bool changed = false;
  for (Link& link : links_) {
    if (!link.interface.empty()) {
      const int found = interface_index(link.interface).value_or(0);
      changed |= std::exchange(link.ifindex, found) != found;
    }
  }
  return changed;
}

std::optional<uint8_t> NextHops::link_of(int ifindex) const {
  for (size_t i = 0; i < links_.size(); ++i) {
    if (ifindex != 0 && links_[i].ifindex == ifindex) {
      return static_cast<uint8_t>(i);
    }
  }
  return std::nullopt;
}

void NextHops::take(uint32_t index, const NextHopState& state) {
  versions_.resize(std::max<size_t>(versions_.size(), index + size_t{1}));
  ++versions_[index];
  const auto link = state.resolved ? link_of(state.ifindex) : std::nullopt;
  if (link) {
    table_.set(index, {state.mac, *link});
  } else if (configured_) {
    table_.set(index, *configured_);
  } else {
    table_.clear(index);
  }
}

std::string NextHops::describe(uint32_t index) const {
  if (const auto hop = table_.get(index)) {
    return fmt::format("{} via {}", hop->mac.to_string(), links_[hop->port].name);
  }
  if (!monitor_) {
    return "unresolved: no port has a next_hop_mac";
  }
  const NextHopState state = monitor_->state(index);
  if (state.resolved) {
    return fmt::format("unresolved: the route leads through interface {}, which is no port",
                       interface_name(state.ifindex));
  }
  return "unresolved: " + state.reason;
}

}  // namespace maglb
