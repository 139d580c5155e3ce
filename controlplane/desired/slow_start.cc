#include "controlplane/desired/slow_start.h"

#include <algorithm>

namespace maglb {

uint32_t SlowStart::weight_at(uint32_t whole, uint32_t step) {
  if (whole == 0 || step >= kSteps) {
    return whole;
  }
  return std::max<uint32_t>(1, whole * step / kSteps);
}

void SlowStart::begin(const BackendKey& backend, Duration slow_start, Time now) {
  ramps_[backend] = Ramp{now, slow_start, 1};
}

bool SlowStart::cancel(const BackendKey& backend) {
  return ramps_.erase(backend) != 0;
}

void SlowStart::keep_only(const std::function<bool(const BackendKey&)>& kept) {
  std::erase_if(ramps_, [&kept](const auto& entry) { return !kept(entry.first); });
}

std::vector<SlowStart::Step> SlowStart::advance(Time now) {
  std::vector<Step> steps;
  for (auto at = ramps_.begin(); at != ramps_.end();) {
    Ramp& ramp = at->second;
    const uint32_t before = ramp.step;
    while (ramp.step < kSteps && ramp.next() <= now) {
      ++ramp.step;
    }
    const bool is_last = ramp.step == kSteps;
    if (ramp.step != before) {
      steps.push_back({at->first, is_last});
    }
    at = is_last ? ramps_.erase(at) : std::next(at);
  }
  return steps;
}

std::optional<Time> SlowStart::next_step() const {
  std::optional<Time> next;
  for (const auto& [backend, ramp] : ramps_) {
    next = std::min(next.value_or(ramp.next()), ramp.next());
  }
  return next;
}

uint32_t SlowStart::weight_of(const BackendKey& backend, uint32_t whole) const {
  if (ramps_.empty()) {
    return whole;
  }
  const auto ramp = ramps_.find(backend);
  return ramp == ramps_.end() ? whole : weight_at(whole, ramp->second.step);
}

}  // namespace maglb
