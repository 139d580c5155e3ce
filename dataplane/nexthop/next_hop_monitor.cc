#include "dataplane/nexthop/next_hop_monitor.h"

#include <fmt/format.h>
#include <linux/neighbour.h>

#include <algorithm>
#include <functional>
#include <type_traits>
#include <utility>

#include "lib/base/check.h"

namespace maglb {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr int kReadsPerPoll = 256;
constexpr size_t kRoutesPerPoll = 256;
constexpr int kRequestsPerRound = 64;

// A routing daemon that changes a thousand routes costs one round of questions, not a thousand.
constexpr Duration kRouteRoundEvery = milliseconds(50);
constexpr Duration kRequestRoundEvery = milliseconds(50);
// Everything is asked for again now and then, in case the kernel changed something without a word.
constexpr Duration kRecheckEvery = seconds(60);

constexpr Duration kFirstPause = milliseconds(500);
constexpr Duration kLongestPause = seconds(16);
// Between two verifications of one entry: the kernel itself takes 5 s from DELAY to PROBE.
constexpr Duration kRefreshPause = seconds(8);
constexpr Time kNever = Time::max();

constexpr uint16_t kUsable = NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT | NUD_NOARP;
// The kernel is at it; a request would change nothing.
constexpr uint16_t kUnderWay = NUD_INCOMPLETE | NUD_DELAY | NUD_PROBE;

Duration pause_after(uint32_t attempts) {
  return std::min<Duration>(kLongestPause, kFirstPause * (1 << std::min<uint32_t>(attempts, 10)));
}

}  // namespace

Result<NextHopMonitor> NextHopMonitor::create(Observer observer, const NextHopOptions& options) {
  auto events = NetlinkSocket::for_events(options.event_buffer_bytes);
  if (!events) {
    return tl::unexpected<Error>(std::move(events.error()).within("next hops"));
  }
  auto questions = NetlinkSocket::for_questions();
  if (!questions) {
    return tl::unexpected<Error>(std::move(questions.error()).within("next hops"));
  }
  return NextHopMonitor(std::move(observer), options, std::move(*events), std::move(*questions));
}

NextHopMonitor::NextHopMonitor(Observer observer, const NextHopOptions& options, NetlinkSocket events,
                               NetlinkSocket questions)
    : observer_(std::move(observer)),
      options_(options),
      events_(std::move(events)),
      questions_(std::move(questions)) {}

Result<uint32_t> NextHopMonitor::acquire(const IpAddress& address, NextHopKind kind) {
  const NextHopKey key{address, kind};
  if (const auto found = by_key_.find(key); found != by_key_.end()) {
    ++hops_[found->second].references;
    return found->second;
  }
  uint32_t index = static_cast<uint32_t>(hops_.size());
  if (!free_.empty()) {
    std::pop_heap(free_.begin(), free_.end(), std::greater<>());
    index = free_.back();
    free_.pop_back();
  } else if (index >= options_.capacity) {
    return fail(ErrorKind::kConflict, fmt::format("there are already {} next hops", options_.capacity));
  } else {
    hops_.emplace_back();
  }
  hops_[index] = NextHop{};
  hops_[index].key = key;
  hops_[index].references = 1;
  by_key_.emplace(key, index);
  want_route(index);
  return index;
}

void NextHopMonitor::release(uint32_t index) {
  check(index < hops_.size() && hops_[index].references > 0, "a released next hop was acquired");
  NextHop& hop = hops_[index];
  if (--hop.references > 0) {
    return;
  }
  set_neighbour(index, std::nullopt, Time::zero());
  if (hop.route_wanted) {
    std::erase(wanted_routes_, index);
  }
  std::erase(touched_, index);
  by_key_.erase(hop.key);
  hop = NextHop{};
  free_.push_back(index);
  std::push_heap(free_.begin(), free_.end(), std::greater<>());
}

NextHopState NextHopMonitor::state(uint32_t index) const {
  check(index < hops_.size() && hops_[index].references > 0, "a next hop that is asked for was acquired");
  return hops_[index].reported.value_or(NextHopState{false, {}, 0, "not asked for yet"});
}

void NextHopMonitor::for_each(const Observer& observer) const {
  for (const auto& [key, index] : by_key_) {
    observer(index, state(index));
  }
}

void NextHopMonitor::poll_once(Time now) {
  events_.read_events(kReadsPerPoll, [&](const NetlinkEvent& event) { take_event(event, now); });
  for (Neighbour* neighbour : failed_in_batch_) {
    neighbour->failed_in_batch = false;
  }
  failed_in_batch_.clear();
  if (now >= next_recheck_) {
    next_recheck_ = now + kRecheckEvery;
    routing_changed_ = true;
    neighbours_lost_ = true;
  }
  if (routing_changed_ && now >= next_route_round_ && wanted_routes_.empty()) {
    next_route_round_ = now + kRouteRoundEvery;
    routing_changed_ = false;
    ++rounds_;
    want_all_routes();
  }
  if (neighbours_lost_) {
    neighbours_lost_ = false;
    for (auto& [key, neighbour] : neighbours_) {
      ask_neighbour(key, neighbour, now);
    }
  }
  ask_wanted_routes(now);
  request_due_neighbours(now);
  report_touched();
}

void NextHopMonitor::take_event(const NetlinkEvent& event, Time now) {
  std::visit(
      [&](const auto& what) {
        using What = std::decay_t<decltype(what)>;
        if constexpr (std::is_same_v<What, NeighbourChanged>) {
          const auto found = neighbours_.find({what.entry.ifindex, what.entry.address});
          if (found == neighbours_.end()) {
            return;
          }
          what.deleted ? take_deletion(found->second, now) : take_neighbour(found->second, what.entry, now);
        } else if constexpr (std::is_same_v<What, RoutingChanged>) {
          routing_changed_ = true;
        } else if constexpr (std::is_same_v<What, ChangesLost>) {
          ++counters_.resyncs;
          routing_changed_ = true;
          neighbours_lost_ = true;
        } else {
          ++counters_.malformed;
        }
      },
      event);
}

void NextHopMonitor::take_neighbour(Neighbour& neighbour, const NeighbourEntry& entry, Time now) {
  const auto before = usable_mac(neighbour);
  neighbour.state = entry.state;
  if ((entry.state & NUD_FAILED) != 0) {
    if (!neighbour.failed) {
      neighbour.failed = true;
      neighbour.failed_in_batch = true;
      failed_in_batch_.push_back(&neighbour);
      // Of several paths the kernel may now prefer another, and says so only when it is asked.
      std::for_each(neighbour.users.begin(), neighbour.users.end(), [&](uint32_t user) { want_route(user); });
    }
  } else if ((entry.state & kUsable) != 0) {
    neighbour.mac = entry.mac;
    neighbour.failed = false;
    neighbour.attempts = 0;
    neighbour.request_error.clear();
  }
  schedule(neighbour, now);
  touch_unless(before, neighbour);
}

void NextHopMonitor::take_deletion(Neighbour& neighbour, Time now) {
  const auto before = usable_mac(neighbour);
  // An operator's deletion is told as FAILED and then as deleted: nobody failed to answer.
  if (neighbour.failed_in_batch) {
    neighbour.failed = false;
  }
  neighbour.state = 0;
  schedule(neighbour, now);
  touch_unless(before, neighbour);
}

void NextHopMonitor::want_route(uint32_t index) {
  if (!hops_[index].route_wanted) {
    hops_[index].route_wanted = true;
    wanted_routes_.push_back(index);
  }
}

void NextHopMonitor::want_all_routes() {
  for (const auto& [key, index] : by_key_) {
    want_route(index);
  }
}

void NextHopMonitor::ask_wanted_routes(Time now) {
  const size_t count = std::min(wanted_routes_.size(), kRoutesPerPoll);
  for (size_t i = 0; i < count; ++i) {
    const uint32_t index = wanted_routes_[i];
    hops_[index].route_wanted = false;
    ask_route(index, now);
  }
  wanted_routes_.erase(wanted_routes_.begin(), wanted_routes_.begin() + static_cast<std::ptrdiff_t>(count));
}

void NextHopMonitor::ask_route(uint32_t index, Time now) {
  NextHop& hop = hops_[index];
  ++counters_.route_queries;
  touched_.push_back(index);
  const auto answer = questions_.ask_route(hop.key.address);
  if (!answer) {
    // Nothing learned: what was known stays, and the question with it.
    hop.problem = answer.error().message;
    routing_changed_ = true;
    return;
  }
  if (answer->ifindex == 0) {
    hop.problem = answer->problem;
    set_neighbour(index, std::nullopt, now);
    return;
  }
  if (hop.key.kind == NextHopKind::kDirect && answer->gateway) {
    hop.problem = fmt::format("not on-link: the route goes via {}", answer->gateway->to_string());
    set_neighbour(index, std::nullopt, now);
    return;
  }
  set_neighbour(index, NeighbourKey{answer->ifindex, answer->gateway.value_or(hop.key.address)}, now);
}

void NextHopMonitor::set_neighbour(uint32_t index, const std::optional<NeighbourKey>& key, Time now) {
  NextHop& hop = hops_[index];
  if (hop.neighbour == key) {
    return;
  }
  if (hop.neighbour) {
    const auto old = neighbours_.find(*hop.neighbour);
    std::vector<uint32_t>& users = old->second.users;
    hops_[users.back()].place = hop.place;
    users[hop.place] = users.back();
    users.pop_back();
    if (users.empty()) {
      neighbours_.erase(old);
    }
  }
  hop.neighbour = key;
  if (!key) {
    return;
  }
  const auto [entry, is_new] = neighbours_.try_emplace(*key);
  hop.place = entry->second.users.size();
  entry->second.users.push_back(index);
  if (is_new) {
    ask_neighbour(*key, entry->second, now);
  }
}

void NextHopMonitor::ask_neighbour(const NeighbourKey& key, Neighbour& neighbour, Time now) {
  const auto entry = questions_.ask_neighbour(key.ifindex, key.address);
  if (!entry) {
    neighbour.request_error = entry.error().message;
    schedule(neighbour, now);
  } else if (*entry) {
    take_neighbour(neighbour, **entry, now);
    neighbour.failed_in_batch = false;
    std::erase(failed_in_batch_, &neighbour);
  } else {
    take_deletion(neighbour, now);
  }
}

// When to request it next, from its state.
void NextHopMonitor::schedule(Neighbour& neighbour, Time now) {
  if ((neighbour.state & NUD_STALE) != 0) {
    // At once, unless it was verified just before.
    neighbour.next_request = neighbour.next_request == kNever ? now : std::max(now, neighbour.next_request);
  } else if ((neighbour.state & (kUsable | kUnderWay)) != 0) {
    neighbour.next_request = kNever;
  } else {
    neighbour.next_request = neighbour.attempts == 0 ? now : now + pause_after(neighbour.attempts - 1);
  }
}

void NextHopMonitor::request_due_neighbours(Time now) {
  if (now < next_request_round_) {
    return;
  }
  next_request_round_ = now + kRequestRoundEvery;
  int left = kRequestsPerRound;
  for (auto& [key, neighbour] : neighbours_) {
    if (neighbour.next_request <= now && left-- > 0) {
      request(key, neighbour, now);
    }
  }
}

void NextHopMonitor::request(const NeighbourKey& key, Neighbour& neighbour, Time now) {
  ++counters_.neighbour_requests;
  const bool is_refresh = (neighbour.state & NUD_STALE) != 0;
  const auto requested = questions_.request_neighbour(key.ifindex, key.address);
  if (!requested) {
    ++counters_.neighbour_request_errors;
    neighbour.request_error = requested.error().message;
    touch(neighbour);
  }
  neighbour.next_request = now + (is_refresh ? kRefreshPause : pause_after(neighbour.attempts));
  ++neighbour.attempts;
}

std::optional<MacAddress> NextHopMonitor::usable_mac(const Neighbour& neighbour) {
  return neighbour.failed ? std::nullopt : neighbour.mac;
}

// A gateway is verified every few seconds, and a hundred thousand next hops may go through it.
void NextHopMonitor::touch_unless(const std::optional<MacAddress>& before, const Neighbour& neighbour) {
  if (!before || before != usable_mac(neighbour)) {
    touch(neighbour);
  }
}

void NextHopMonitor::touch(const Neighbour& neighbour) {
  touched_.insert(touched_.end(), neighbour.users.begin(), neighbour.users.end());
}

void NextHopMonitor::report_touched() {
  std::sort(touched_.begin(), touched_.end());
  touched_.erase(std::unique(touched_.begin(), touched_.end()), touched_.end());
  for (const uint32_t index : touched_) {
    NextHop& hop = hops_[index];
    NextHopState state = state_of(hop);
    if (hop.reported != state) {
      hop.reported = std::move(state);
      observer_(index, *hop.reported);
    }
  }
  touched_.clear();
}

NextHopState NextHopMonitor::state_of(const NextHop& hop) const {
  if (!hop.neighbour) {
    return {false, {}, 0, hop.problem};
  }
  const Neighbour& neighbour = neighbours_.at(*hop.neighbour);
  if (usable_mac(neighbour)) {
    return {true, *neighbour.mac, hop.neighbour->ifindex, {}};
  }
  const std::string name = fmt::format("neighbour {} on {}", hop.neighbour->address.to_string(),
                                       interface_name(hop.neighbour->ifindex));
  if (neighbour.failed) {
    return {false, {}, 0, name + " does not answer"};
  }
  if ((neighbour.state & kUsable) != 0) {
    return {false, {}, 0, name + " has no Ethernet address"};
  }
  if (!neighbour.request_error.empty()) {
    return {false, {}, 0, fmt::format("{}: {}", name, neighbour.request_error)};
  }
  return {false, {}, 0, name + " is being looked for"};
}

}  // namespace maglb
