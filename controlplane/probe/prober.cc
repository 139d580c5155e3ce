#include "controlplane/probe/prober.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <map>
#include <random>
#include <utility>

#include "controlplane/probe/attempt_factory.h"
#include "controlplane/probe/deadline_heap.h"

namespace maglb {
namespace {

using std::chrono::milliseconds;

constexpr uint32_t kMostInFlight = 16384;
constexpr Duration kFirstStartsApart = std::chrono::microseconds(100);
constexpr Duration kTimerGrain = milliseconds(1);   // starts this close together share a wake-up
constexpr Duration kLoopIsLate = milliseconds(20);  // beyond it, a timeout may be our own slowness
constexpr Duration kSkipLogInterval = std::chrono::seconds(10);
constexpr int kStartsPerWake = 256;     // between them the loop does other work
constexpr uint32_t kMostPrograms = 32;  // of exec, at a time

using UserKey = std::pair<std::string, std::string>;  // pool, backend

struct User;

struct Target {
  explicit Target(const ProbeTarget& t) : what(t), state(rules()) {}

  HealthRules rules() const { return {what.config.rise, what.config.fall, what.config.cool_down}; }
  size_t type() const { return static_cast<size_t>(what.config.type); }
  // For others; `state` keeps what it was when a fault came.
  Health health() const { return what.fault.empty() ? state.health() : Health::kUnknown; }

  const ProbeTarget what;
  HealthState state;
  std::string reason;
  Duration latency{};
  WallTime last_outcome{};  // the epoch: none yet
  bool last_failed = false;
  Time due{};      // when the present or next attempt was to start
  Time started{};  // when it did
  bool extended = false;
  std::shared_ptr<Attempt> attempt;  // null: none under way
  std::vector<User*> users;
  std::vector<ProbeLatency*> latencies;  // of the pools of its users, each once
  size_t heap_place = kNotInHeap;
};

// Attempts that share a bound.
struct Lane {
  uint32_t most = 0;
  uint32_t in_flight = 0;
  std::deque<Target*> waiting;
};

struct User {
  const UserKey* key = nullptr;  // in the map that owns this
  std::vector<Target*> targets;
  Health reported = Health::kUnknown;
};

int badness(Health health) {
  return health == Health::kUnhealthy ? 2 : health == Health::kUnknown ? 1 : 0;
}

const Target& worst_target(const User& user) {
  return **std::max_element(user.targets.begin(), user.targets.end(), [](const Target* a, const Target* b) {
    const int left = badness(a->health());
    const int right = badness(b->health());
    return left != right ? left < right : a->state.since() < b->state.since();
  });
}

ProbeStatus status_of(const User& user) {
  const Target& t = worst_target(user);
  return {t.health(),      t.what.fault.empty() ? t.reason : t.what.fault,
          t.state.since(), t.state.consecutive(),
          t.latency,       t.last_outcome};
}

// But for how the packets leave this host.
bool ask_the_same(const ProbeTarget& a, const ProbeTarget& b) {
  return a.address == b.address && a.port == b.port && a.connect_to == b.connect_to && a.config == b.config;
}

// What its user's targets of before were to it.
void learn_from(const User& before, Target& target) {
  for (const Target* was : before.targets) {
    if (ask_the_same(was->what, target.what)) {
      target.state = was->state;
      target.reason = was->reason;
      target.latency = was->latency;
      return;
    }
  }
  const Target& was = worst_target(before);
  if (was.what.address == target.what.address) {
    target.state = HealthState(target.rules(), was.state.health(), was.state.since());
    target.reason = was.reason;
  }
}

uint32_t descriptors_for_probes() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
    return 256;
  }
  return static_cast<uint32_t>(std::clamp<rlim_t>(limit.rlim_cur / 2, 1, kMostInFlight));
}

}  // namespace

class Prober::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(boost::asio::io_context& io, OnTransition on_transition, const ProberOptions& options)
      : factory_(io),
        timer_(io),
        on_transition_(std::move(on_transition)),
        sockets_{options.max_in_flight != 0 ? options.max_in_flight : descriptors_for_probes(), 0, {}},
        programs_{std::min(kMostPrograms, sockets_.most), 0, {}},
        random_(options.random_seed != 0 ? options.random_seed : std::random_device{}()) {}

  void set_users(std::vector<ProbeUser> users);
  std::optional<ProbeStatus> status(std::string_view pool, std::string_view backend) const;
  ProbeCounters counters() const;
  const ProbeTypeCounters& counters(ProbeType type) const { return by_type_[static_cast<size_t>(type)]; }
  const ProbeLatency* latency(std::string_view pool) const {
    const auto found = latencies_.find(pool);
    return found == latencies_.end() ? nullptr : &found->second;
  }
  const ProbeHistogram& lateness() const { return lateness_; }
  bool all_failing() const {
    return counters_.with_outcome > 0 && counters_.failing == counters_.with_outcome;
  }
  void stop();

 private:
  using Users = std::map<UserKey, User>;

  std::vector<Target*> adopt(std::vector<ProbeUser>& users, const Users& before);
  Target& find_or_make(const ProbeTarget& what, std::vector<Target*>& made);
  void drop_unused_targets();
  void schedule_first(const std::vector<Target*>& made);

  void arm();
  void wake();
  void begin(Target& target, Time now);
  void expire(Target& target, Time now);
  void end(Target& target);
  void conclude(Target& target, AttemptResult result);
  bool learn_outcome(Target& target, AttemptResult result, Time now);
  void count_last(const Target& target, int sign);
  void schedule_next(Target& target, Time now);
  Lane& lane_of(const Target& target) {
    return target.what.config.type == ProbeType::kExec ? programs_ : sockets_;
  }
  void admit_waiting(Lane& lane, Time now);
  void log_skip(const Target& target, const std::string& reason, Time now);
  void notify(const Target& target);

  const AttemptFactory factory_;
  boost::asio::steady_timer timer_;
  Time armed_for_ = Time::max();
  OnTransition on_transition_;
  Lane sockets_;
  Lane programs_;
  std::minstd_rand random_;

  std::map<ProbeTarget, std::unique_ptr<Target>> targets_;
  Users users_;
  // Every target without a fault is either here (its timeout if an attempt is under way, else its next start)
  // or in waiting in its lane.
  DeadlineHeap<Target> deadlines_;
  std::array<std::vector<std::shared_ptr<Attempt>>, kProbeTypes> idle_attempts_;

  ProbeCounters counters_;
  std::array<ProbeTypeCounters, kProbeTypes> by_type_;
  std::map<std::string, ProbeLatency, std::less<>> latencies_;
  ProbeHistogram lateness_;
  uint64_t skips_unlogged_ = 0;
  std::optional<Time> skip_logged_;
};

void Prober::Impl::set_users(std::vector<ProbeUser> users) {
  Users before = std::exchange(users_, {});
  for (auto& [what, target] : targets_) {
    target->users.clear();
    target->latencies.clear();
  }
  const std::vector<Target*> made = adopt(users, before);
  drop_unused_targets();
  std::erase_if(latencies_, [this](const auto& entry) {
    const auto user = users_.lower_bound({entry.first, ""});
    return user == users_.end() || user->first.first != entry.first;
  });
  for (auto& [key, user] : users_) {
    user.reported = worst_target(user).health();
  }
  schedule_first(made);
  admit_waiting(sockets_, monotonic_now());
  admit_waiting(programs_, monotonic_now());
  arm();
}

// Fills users_ and ties them to targets; returns the new targets to be probed.
std::vector<Target*> Prober::Impl::adopt(std::vector<ProbeUser>& users, const Users& before) {
  std::vector<Target*> made;
  for (ProbeUser& from : users) {
    Target& target = find_or_make(from.target, made);
    const UserKey key{std::move(from.pool), std::move(from.backend)};
    const auto place = users_.try_emplace(key).first;
    User& user = place->second;
    user.key = &place->first;
    if (std::find(user.targets.begin(), user.targets.end(), &target) != user.targets.end()) {
      continue;
    }
    user.targets.push_back(&target);
    target.users.push_back(&user);
    ProbeLatency* latency = &latencies_[key.first];
    if (std::find(target.latencies.begin(), target.latencies.end(), latency) == target.latencies.end()) {
      target.latencies.push_back(latency);
    }
    if (target.state.health() != Health::kUnknown || target.last_outcome != WallTime{}) {
      continue;
    }
    if (from.known) {
      target.state = HealthState(target.rules(), from.known->healthy ? Health::kHealthy : Health::kUnhealthy,
                                 from.known->since);
      target.reason = from.known->reason;
    } else if (const auto old = before.find(key); old != before.end()) {
      learn_from(old->second, target);
    }
  }
  return made;
}

Target& Prober::Impl::find_or_make(const ProbeTarget& what, std::vector<Target*>& made) {
  std::unique_ptr<Target>& slot = targets_[what];
  if (slot == nullptr) {
    slot = std::make_unique<Target>(what);
    if (what.fault.empty()) {
      made.push_back(slot.get());
    }
  }
  return *slot;
}

void Prober::Impl::drop_unused_targets() {
  for (Lane* lane : {&sockets_, &programs_}) {
    std::erase_if(lane->waiting, [](const Target* target) { return target->users.empty(); });
  }
  std::erase_if(targets_, [this](const auto& entry) {
    Target& target = *entry.second;
    if (!target.users.empty()) {
      return false;
    }
    if (target.attempt != nullptr) {
      target.attempt->cancel();
      end(target);
      ++counters_.cancelled;
      ++by_type_[target.type()].cancelled;
    }
    deadlines_.remove(target);
    count_last(target, -1);
    return true;
  });
}

void Prober::Impl::schedule_first(const std::vector<Target*>& made) {
  const Time now = monotonic_now();
  const int64_t count = static_cast<int64_t>(made.size());
  for (int64_t i = 0; i < count; ++i) {
    Target& target = *made[static_cast<size_t>(i)];
    const Duration apart = std::min(kFirstStartsApart, target.what.config.interval / count);
    target.due = now + i * apart;
    deadlines_.set(target, target.due);
  }
}

void Prober::Impl::arm() {
  if (deadlines_.empty()) {
    return;
  }
  // Of one grain with what is armed for: a wait that is set again would end the one before, and wake us.
  const Time at = (deadlines_.deadline() / kTimerGrain + 1) * kTimerGrain;
  if (at >= armed_for_) {
    return;
  }
  armed_for_ = at;
  timer_.expires_at(std::chrono::steady_clock::time_point(armed_for_));
  timer_.async_wait([weak = weak_from_this(), armed = armed_for_](boost::system::error_code) {
    const std::shared_ptr<Impl> self = weak.lock();
    // A wait that was replaced by an earlier one has nothing to do.
    if (self != nullptr && armed == self->armed_for_) {
      self->wake();
    }
  });
}

void Prober::Impl::wake() {
  armed_for_ = Time::max();
  const Time now = monotonic_now();
  for (int i = 0; i < kStartsPerWake && !deadlines_.empty() && deadlines_.deadline() <= now; ++i) {
    Target& target = deadlines_.top();
    if (target.attempt != nullptr) {
      expire(target, now);
    } else {
      begin(target, now);
    }
  }
  arm();
}

void Prober::Impl::begin(Target& target, Time now) {
  Lane& lane = lane_of(target);
  if (lane.in_flight >= lane.most) {
    deadlines_.remove(target);
    lane.waiting.push_back(&target);
    return;
  }
  auto& idle = idle_attempts_[target.type()];
  if (idle.empty()) {
    target.attempt = factory_.make(target.what.config.type);
  } else {
    target.attempt = std::move(idle.back());
    idle.pop_back();
  }
  ++counters_.attempts;
  ++by_type_[target.type()].attempts;
  ++counters_.in_flight;
  ++lane.in_flight;
  target.started = now;
  lateness_.record(std::max(Duration{}, now - target.due));
  target.extended = false;
  deadlines_.set(target, now + target.what.config.timeout);
  target.attempt->start(target.what, [this, &target](AttemptResult result) {
    idle_attempts_[target.type()].push_back(target.attempt);
    end(target);
    conclude(target, std::move(result));
    arm();
  });
}

// The time of an attempt is up. Where the loop itself was late, the answer may lie unread in the
// socket and the request unsent: the attempt gets the lost time back, once.
void Prober::Impl::expire(Target& target, Time now) {
  const Duration late = now - deadlines_.deadline();
  if (late > kLoopIsLate && !target.extended) {
    target.extended = true;
    deadlines_.set(target, now + std::min(late, target.what.config.timeout));
    return;
  }
  const std::string_view stage = target.attempt->stage();
  target.attempt->cancel();
  end(target);
  const double timeout_ms = std::chrono::duration<double, std::milli>(target.what.config.timeout).count();
  conclude(target, {Outcome::kFailure, fmt::format("timeout after {} ms ({})", timeout_ms, stage)});
}

void Prober::Impl::end(Target& target) {
  target.attempt = nullptr;
  --counters_.in_flight;
  --lane_of(target).in_flight;
}

void Prober::Impl::conclude(Target& target, AttemptResult result) {
  const Time now = monotonic_now();
  if (result.outcome == Outcome::kSkipped) {
    ++counters_.skipped;
    ++by_type_[target.type()].skipped;
    log_skip(target, result.reason, now);
  }
  const bool changed = result.outcome != Outcome::kSkipped && learn_outcome(target, std::move(result), now);
  schedule_next(target, now);
  admit_waiting(lane_of(target), now);
  if (changed) {
    notify(target);
  }
}

// True when the target's health changed.
bool Prober::Impl::learn_outcome(Target& target, AttemptResult result, Time now) {
  const bool success = result.outcome == Outcome::kSuccess;
  ProbeTypeCounters& of_type = by_type_[target.type()];
  ++(success ? counters_.successes : counters_.failures);
  ++(success ? of_type.successes : of_type.failures);
  target.reason = std::move(result.reason);
  target.latency = now - target.started;
  for (ProbeLatency* latency : target.latencies) {
    (success ? latency->success : latency->failure).record(target.latency);
  }
  count_last(target, -1);
  target.last_failed = !success;
  target.last_outcome = std::chrono::system_clock::now();
  count_last(target, +1);
  return target.state.record(success, target.last_outcome, now);
}

// Adds the target to the counts of last outcomes, or takes it out of them.
void Prober::Impl::count_last(const Target& target, int sign) {
  if (target.last_outcome != WallTime{}) {
    counters_.with_outcome += static_cast<uint64_t>(sign);
    counters_.failing += target.last_failed ? static_cast<uint64_t>(sign) : 0;
  }
}

// From the turn before, not from the late start of it, so that lateness does not add up.
void Prober::Impl::schedule_next(Target& target, Time now) {
  const ProbeConfig& config = target.what.config;
  const bool hurry = config.fast_interval > Duration{} && !target.state.is_settled();
  const Duration interval = hurry ? std::min(config.fast_interval, config.interval) : config.interval;
  std::uniform_int_distribution<int64_t> jitter(0, interval.count() / 16);
  target.due = std::max(now, target.due + interval - Duration(jitter(random_)));
  deadlines_.set(target, target.due);
}

void Prober::Impl::admit_waiting(Lane& lane, Time now) {
  while (!lane.waiting.empty() && lane.in_flight < lane.most) {
    Target& target = *lane.waiting.front();
    lane.waiting.pop_front();
    begin(target, now);
  }
}

void Prober::Impl::log_skip(const Target& target, const std::string& reason, Time now) {
  ++skips_unlogged_;
  if (skip_logged_ && now - *skip_logged_ < kSkipLogInterval) {
    return;
  }
  spdlog::warn("{} probes skipped for lack of local resources, the last of {}: {}",
               std::exchange(skips_unlogged_, 0), target.what.to_string(), reason);
  skip_logged_ = now;
}

// The callback may change the set of users, so what it is told is gathered first.
void Prober::Impl::notify(const Target& target) {
  std::vector<UserKey> changed;
  for (User* user : target.users) {
    const Health health = worst_target(*user).health();
    if (std::exchange(user->reported, health) != health) {
      changed.push_back(*user->key);
    }
  }
  for (const UserKey& key : changed) {
    const auto user = users_.find(key);
    if (user != users_.end()) {
      on_transition_(key.first, key.second, status_of(user->second));
    }
  }
}

std::optional<ProbeStatus> Prober::Impl::status(std::string_view pool, std::string_view backend) const {
  const auto user = users_.find(UserKey(pool, backend));
  if (user == users_.end()) {
    return std::nullopt;
  }
  return status_of(user->second);
}

ProbeCounters Prober::Impl::counters() const {
  ProbeCounters counters = counters_;
  counters.targets = targets_.size();
  counters.waiting = sockets_.waiting.size() + programs_.waiting.size();
  return counters;
}

void Prober::Impl::stop() {
  set_users({});
  timer_.cancel();
}

Prober::Prober(boost::asio::io_context& io, OnTransition on_transition, ProberOptions options)
    : impl_(std::make_shared<Impl>(io, std::move(on_transition), options)) {}

Prober::~Prober() {
  impl_->stop();
}

void Prober::set_users(std::vector<ProbeUser> users) {
  impl_->set_users(std::move(users));
}

std::optional<ProbeStatus> Prober::status(std::string_view pool, std::string_view backend) const {
  return impl_->status(pool, backend);
}

ProbeCounters Prober::counters() const {
  return impl_->counters();
}

ProbeTypeCounters Prober::counters(ProbeType type) const {
  return impl_->counters(type);
}

const ProbeLatency* Prober::latency(std::string_view pool) const {
  return impl_->latency(pool);
}

const ProbeHistogram& Prober::lateness() const {
  return impl_->lateness();
}

bool Prober::all_failing() const {
  return impl_->all_failing();
}

}  // namespace maglb
