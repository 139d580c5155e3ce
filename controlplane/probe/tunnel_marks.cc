#include "controlplane/probe/tunnel_marks.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

namespace maglb {
namespace {

constexpr size_t kMostWarnings = 5;
constexpr const char* kAcrossFamilies = "l2, and the service's address is not of the backend's family";

// The element behind the one of `last`, around the end. REQUIRES: the map is not empty.
template <typename Map, typename Key>
typename Map::iterator after(Map& map, const std::optional<Key>& last) {
  const auto next = last ? map.upper_bound(*last) : map.begin();
  return next == map.end() ? map.begin() : next;
}

bool is_across_families(const ProbeUser& user) {
  return user.path->mode == ForwardMode::kL2 && user.path->backend.is_v4() != user.target.connect_to.is_v4();
}

}  // namespace

TunnelMarks::TunnelMarks(boost::asio::io_context& io, ProbeSources sources, std::function<void()> on_change,
                         uint32_t max_marks)
    : timer_(io),
      sources_(std::move(sources)),
      on_change_(std::move(on_change)),
      max_marks_(std::min(max_marks, ProbeTunnel::kMaxMarks)),
      taken_(max_marks_ + 1) {}

void TunnelMarks::give(std::vector<ProbeUser>& users) {
  want(users);
  drop_unwanted();
  if (ways_.empty()) {
    close();
    tell();
    changed_ = false;
    return;
  }
  open();
  for (auto& [path, way] : ways_) {
    if (way.index == 0 || !way.fault.empty()) {
      connect(path, way);
    }
  }
  for (auto& [address, service] : services_) {
    verify(address, service);
  }
  for (ProbeUser& user : users) {
    if (user.path) {
      user.target.fault = fault_of(user);
      user.target.mark.reset();
      if (user.target.fault.empty()) {
        user.target.mark = tunnel_->mark(ways_.at(*user.path).index);
      }
    }
  }
  tell();
  changed_ = false;
  look_again_later();
}

void TunnelMarks::want(const std::vector<ProbeUser>& users) {
  for (auto& [path, way] : ways_) {
    way.wanted = false;
  }
  for (auto& [address, service] : services_) {
    service.wanted = false;
  }
  across_families_.clear();
  for (const ProbeUser& user : users) {
    if (user.path) {
      if (is_across_families(user)) {
        across_families_.emplace(user.target.connect_to, user.path->backend);
      }
      ways_[*user.path].wanted = true;
      services_[user.target.connect_to].wanted = true;
    }
  }
}

void TunnelMarks::drop_unwanted() {
  std::erase_if(ways_, [this](const auto& entry) {
    const Way& way = entry.second;
    if (!way.wanted && way.index != 0) {
      taken_[way.index] = false;
      --taken_count_;
      if (tunnel_ != nullptr) {
        tunnel_->remove(tunnel_->mark(way.index));
      }
    }
    return !way.wanted;
  });
  std::erase_if(services_, [](const auto& entry) { return !entry.second.wanted; });
}

void TunnelMarks::open() {
  if (tunnel_ != nullptr && tunnel_->is_there()) {
    return;
  }
  tunnel_.reset();
  auto opened = ProbeTunnel::open(sources_);
  set_fault(fault_, opened ? "" : opened.error().message);
  if (!opened) {
    return;
  }
  tunnel_ = std::move(*opened);
  spdlog::info("probes through tunnels leave by device {}, marks {:#x}/{:#x}",
               tunnel_->instance().entry_device(), tunnel_->instance().mark(), kProbeMarkMask);
  for (auto& [path, way] : ways_) {
    connect(path, way);
  }
  changed_ = true;  // the instance, and so the marks, may be others
}

void TunnelMarks::close() {
  tunnel_.reset();
  fault_.clear();
  looking_ = false;
  timer_.cancel();
}

void TunnelMarks::set_fault(std::string& fault, std::string now) {
  std::replace(now.begin(), now.end(), '\n', ' ');  // of the verifier's words
  changed_ = changed_ || fault != now;
  fault = std::move(now);
}

void TunnelMarks::connect(const ProbePath& path, Way& way) {
  if (way.index == 0) {
    way.index = next_free();
  }
  if (way.index == 0) {
    set_fault(way.fault, fmt::format("there are {} ways already, as many as can be", max_marks_));
  } else if (tunnel_ != nullptr) {
    const auto put = tunnel_->put(tunnel_->mark(way.index), path);
    set_fault(way.fault, put ? "" : put.error().message);
  }
}

void TunnelMarks::verify(const IpAddress& address, Service& known) {
  if (tunnel_ != nullptr) {
    // The rules look at the upper half of a mark only, so that one stands for all.
    const auto verified = tunnel_->verify(address, tunnel_->mark(1));
    set_fault(known.fault, verified ? "" : verified.error().message);
  }
}

// 0 when all are taken.
uint32_t TunnelMarks::next_free() {
  for (uint32_t tried = 0; tried < max_marks_ && taken_count_ < max_marks_; ++tried) {
    last_index_ = last_index_ % max_marks_ + 1;
    if (!taken_[last_index_]) {
      taken_[last_index_] = true;
      ++taken_count_;
      return last_index_;
    }
  }
  return 0;
}

std::string TunnelMarks::fault_of(const ProbeUser& user) const {
  const Way& way = ways_.at(*user.path);
  const Service& service = services_.at(user.target.connect_to);
  const std::string fault = !fault_.empty()            ? fault_
                            : is_across_families(user) ? kAcrossFamilies
                            : !service.fault.empty()   ? service.fault
                                                       : way.fault;
  return fault.empty() ? "" : "not probed through its tunnel: " + fault;
}

void TunnelMarks::look_again_later() {
  if (std::exchange(looking_, true)) {
    return;
  }
  timer_.expires_after(kLookInterval);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) {
      looking_ = false;
      look_again();
    }
  });
}

void TunnelMarks::look_again() {
  open();
  if (tunnel_ != nullptr) {
    look_at_services();
    look_at_ways();
  }
  look_again_later();
  if (changed_) {
    on_change_();
  }
}

// One of each family beside those whose turn it is: the rules are seen each time.
void TunnelMarks::look_at_services() {
  bool seen[2] = {false, false};
  for (auto& [address, service] : services_) {
    if (!std::exchange(seen[address.is_v4() ? 1 : 0], true)) {
      verify(address, service);
    }
    if (seen[0] && seen[1]) {
      break;
    }
  }
  for (size_t i = 0; i < std::min(kLooksAtATime, services_.size()); ++i) {
    const auto next = after(services_, looked_service_);
    verify(next->first, next->second);
    looked_service_ = next->first;
  }
}

void TunnelMarks::look_at_ways() {
  for (size_t i = 0; i < std::min(kLooksAtATime, ways_.size()); ++i) {
    const auto next = after(ways_, looked_way_);
    connect(next->first, next->second);
    looked_way_ = next->first;
  }
}

std::vector<std::string> TunnelMarks::warnings() const {
  std::vector<std::string> warnings;
  if (!fault_.empty()) {
    return {"probes through tunnels are not made: " + fault_};
  }
  size_t count = 0;
  const auto add = [&](const std::string& what, const std::string& fault) {
    if (!fault.empty() && ++count <= kMostWarnings) {
      warnings.push_back(fmt::format("probes through tunnels to {} are not made: {}", what, fault));
    }
  };
  for (const auto& [address, service] : services_) {
    add(address.to_string(), service.fault);
  }
  for (const auto& [path, way] : ways_) {
    add(fmt::format("{} by {}", path.backend.to_string(), to_string(path.mode)), way.fault);
  }
  for (const auto& [service, backend] : across_families_) {
    add(fmt::format("{} at {}", service.to_string(), backend.to_string()), kAcrossFamilies);
  }
  if (count > kMostWarnings) {
    warnings.push_back(fmt::format("probes through tunnels: {} more are not made", count - kMostWarnings));
  }
  return warnings;
}

void TunnelMarks::tell() {
  std::vector<std::string> now = warnings();
  for (const std::string& warning : now) {
    if (std::find(told_.begin(), told_.end(), warning) == told_.end()) {
      spdlog::error("{}", warning);
    }
  }
  if (now.empty() && !told_.empty()) {
    spdlog::info("all probes through tunnels are made again");
  }
  told_ = std::move(now);
}

}  // namespace maglb
