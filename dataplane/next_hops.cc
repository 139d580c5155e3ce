#include "dataplane/next_hops.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

namespace maglb {
namespace {

// Without a kernel to ask every backend is reached the same way.
constexpr uint32_t kConfiguredIndex = 0;

}  // namespace

NextHops::NextHops(std::vector<PortRoute> ports, NextHopTable& table)
    : ports_(std::move(ports)), table_(table) {
  for (size_t i = 0; i < ports_.size() && !configured_; ++i) {
    if (ports_[i].ifindex == 0 && ports_[i].next_hop_mac) {
      configured_ = NextHop{*ports_[i].next_hop_mac, static_cast<uint8_t>(i)};
    }
  }
}

Result<std::unique_ptr<NextHops>> NextHops::create(std::vector<PortRoute> ports, NextHopTable& table) {
  std::unique_ptr<NextHops> hops(new NextHops(std::move(ports), table));
  const bool has_kernel = std::any_of(hops->ports_.begin(), hops->ports_.end(),
                                      [](const PortRoute& port) { return port.ifindex != 0; });
  if (has_kernel) {
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
  const auto kind = mode == ForwardMode::kIpip ? NextHopKind::kRouted : NextHopKind::kDirect;
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
  if (monitor_) {
    monitor_->poll_once(now);
  }
}

std::optional<uint8_t> NextHops::port_of(int ifindex) const {
  for (size_t i = 0; i < ports_.size(); ++i) {
    if (ifindex != 0 && ports_[i].ifindex == ifindex) {
      return static_cast<uint8_t>(i);
    }
  }
  return std::nullopt;
}

void NextHops::take(uint32_t index, const NextHopState& state) {
  const auto port = state.resolved ? port_of(state.ifindex) : std::nullopt;
  if (port) {
    table_.set(index, {state.mac, *port});
  } else if (configured_) {
    table_.set(index, *configured_);
  } else {
    table_.clear(index);
  }
}

std::string NextHops::describe(uint32_t index) const {
  if (const auto hop = table_.get(index)) {
    return fmt::format("{} via {}", hop->mac.to_string(), ports_[hop->port].name);
  }
  if (!monitor_) {
    return "unresolved: no port has a next_hop_mac";
  }
  const NextHopState state = monitor_->state(index);
  if (state.resolved) {
    return fmt::format("unresolved: the route leads through interface {}, which is no port", state.ifindex);
  }
  return "unresolved: " + state.reason;
}

}  // namespace maglb
