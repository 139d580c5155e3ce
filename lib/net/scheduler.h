// How a pool chooses the backend of a new flow; a word of the configuration, the snapshot and the wire alike.
#pragma once

#include <cstdint>
#include <string_view>

namespace maglb {

// kMaglev and kSourceHash need no state and choose alike on every machine of a fleet; the others choose for
// packets that open a flow whose entry is stored, and leave all else to the pool's Maglev table.
enum class Scheduler : uint8_t {
  kMaglev = 0,
  kSourceHash = 1,
  kRoundRobin = 2,
  kLeastConnections = 3,
  kRandom = 4,
};
inline constexpr Scheduler kLastScheduler = Scheduler::kRandom;

constexpr std::string_view to_string(Scheduler scheduler) {
  switch (scheduler) {
    case Scheduler::kMaglev:
      return "maglev";
    case Scheduler::kSourceHash:
      return "source-hash";
    case Scheduler::kRoundRobin:
      return "round-robin";
    case Scheduler::kLeastConnections:
      return "least-connections";
    case Scheduler::kRandom:
      return "random";
  }
  return "?";
}

// Whether it looks at how many flows each backend has.
constexpr bool looks_at_flows(Scheduler scheduler) {
  return scheduler == Scheduler::kLeastConnections;
}
// Whether it chooses by something else than the pool's table.
constexpr bool is_stateful(Scheduler scheduler) {
  return scheduler >= Scheduler::kRoundRobin;
}

}  // namespace maglb
