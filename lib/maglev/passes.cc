#include "lib/maglev/passes.h"

namespace maglb::maglev {
namespace {

// Inlined into a function for each kind of processor.
[[gnu::always_inline]] inline uint32_t* pass_one(Slots slots, Walker* walkers, const uint32_t* turn,
                                                 const uint32_t* end, uint32_t* rest) {
  for (; turn != end; ++turn) {
    const uint32_t index = *turn;
    const auto [slot, skip] = walkers[index];
    const uint64_t taken = slots.taken(slot);
    const uint32_t next = slots.after(slot, skip);
    walkers[index].slot = taken != 0 ? next : slot;
    *rest = index;
    rest += taken;
  }
  return rest;
}

// The second slot is looked at whatever the first is: waiting costs more.
[[gnu::always_inline]] inline uint32_t* pass_two(Slots slots, Walker* walkers, const uint32_t* turn,
                                                 const uint32_t* end, uint32_t* rest) {
  for (; turn != end; ++turn) {
    const uint32_t index = *turn;
    const auto [slot, skip] = walkers[index];
    const uint32_t second = slots.after(slot, skip);
    const uint32_t third = slots.after(second, skip);
    const uint64_t taken = slots.taken(slot);
    const uint64_t second_taken = slots.taken(second);
    const uint32_t next = second_taken != 0 ? third : second;
    walkers[index].slot = taken != 0 ? next : slot;
    *rest = index;
    rest += taken & second_taken;
  }
  return rest;
}

uint32_t* portable_one(Slots slots, Walker* walkers, const uint32_t* turn, const uint32_t* end,
                       uint32_t* rest) {
  return pass_one(slots, walkers, turn, end, rest);
}

uint32_t* portable_two(Slots slots, Walker* walkers, const uint32_t* turn, const uint32_t* end,
                       uint32_t* rest) {
  return pass_two(slots, walkers, turn, end, rest);
}

#ifdef __x86_64__
[[gnu::target("bmi2")]] uint32_t* bmi2_one(Slots slots, Walker* walkers, const uint32_t* turn,
                                           const uint32_t* end, uint32_t* rest) {
  return pass_one(slots, walkers, turn, end, rest);
}

[[gnu::target("bmi2")]] uint32_t* bmi2_two(Slots slots, Walker* walkers, const uint32_t* turn,
                                           const uint32_t* end, uint32_t* rest) {
  return pass_two(slots, walkers, turn, end, rest);
}
#endif

}  // namespace

Passes portable_passes() {
  return {portable_one, portable_two};
}

Passes best_passes() {
#ifdef __x86_64__
  if (__builtin_cpu_supports("bmi2")) {
    return {bmi2_one, bmi2_two};
  }
#endif
  return portable_passes();
}

}  // namespace maglb::maglev
