// A storm of packets and changes, two workers, against the flow rules written down naively over maps.
// The tables are large enough that nothing gives way to anything.
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <tuple>

#include "lib/lb/pipeline.h"
#include "tests/support/lb_rig.h"

namespace maglb {
namespace {

using testing::Frame;
using testing::Rig;

enum class Kind { kSyn, kAck, kFin, kReset, kUdp };
using Flow = std::tuple<bool, uint16_t>;  // UDP, source port

class Model {
 public:
  uint16_t decide(const Rig& rig, size_t worker, const Flow& flow, Kind kind, uint16_t by_table, Time now) {
    auto& own = entries_[worker];
    const bool is_syn = kind == Kind::kSyn;
    const Entry* entry = live(own, flow, now);
    if (entry == nullptr && !is_syn) {
      entry = live(entries_[1 - worker], flow, now);
    }
    if (entry == nullptr) {
      if (by_table != kNoBackend && kind != Kind::kReset) {
        own[flow] = {by_table, 'o', until(now, 'o')};
      }
      return by_table;
    }
    const bool kept = holds(rig, *entry, kind);
    const uint16_t place = kept ? entry->place : by_table;
    const char state = state_after(entry->state, kind);
    const bool is_own = live(own, flow, now) == entry;
    if (kept && is_own && state == entry->state && !is_due(*entry, now)) {
      return place;
    }
    if (place != kNoBackend) {
      own[flow] = {place, state, until(now, state)};
    }
    return place;
  }

 private:
  struct Entry {
    uint16_t place;
    char state;  // opening, established, closing, udp
    int64_t until;
  };
  using Entries = std::map<Flow, Entry>;

  static const Entry* live(const Entries& entries, const Flow& flow, Time now) {
    const auto found = entries.find(flow);
    return found == entries.end() || found->second.until <= now.count() >> 27 ? nullptr : &found->second;
  }
  static bool holds(const Rig& rig, const Entry& entry, Kind kind) {
    const PlaceState state = rig.states[entry.place];
    if (kind == Kind::kSyn) {
      return state == PlaceState::kUp && entry.state == 'o';
    }
    if (state == PlaceState::kUp || state == PlaceState::kDrain) {
      return true;
    }
    return state != PlaceState::kVacant && rig.keep_on_failure && kind != Kind::kUdp;
  }
  static char state_after(char before, Kind kind) {
    switch (kind) {
      case Kind::kUdp:
        return 'u';
      case Kind::kSyn:
        return 'o';
      case Kind::kAck:
        return before == 'c' ? 'c' : 'e';
      default:
        return 'c';
    }
  }
  static Duration timeout_of(char state) {
    return std::chrono::seconds(state == 'o' ? 10 : state == 'e' ? 900 : state == 'c' ? 5 : 60);
  }
  static int64_t until(Time now, char state) {
    return ((now + timeout_of(state) + timeout_of(state) / 128).count() >> 27) + 1;
  }
  // An entry that stays as it is gets a new deadline only when it may have less than its timeout left.
  static bool is_due(const Entry& entry, Time now) {
    return (entry.until - (now.count() >> 27) - 1) << 27 < timeout_of(entry.state).count();
  }

  Entries entries_[2];
};

void change(Rig& rig, std::mt19937_64& random) {
  for (PlaceState& state : rig.states) {
    state = random() % 2 == 0 ? PlaceState::kUp : static_cast<PlaceState>(random() % 6);
  }
  rig.shuffle_and_publish(random);
}

FlowKey key_of(const Flow& flow) {
  FlowKey key;
  key.source = testing::address(192, 0, 2, 1);
  key.destination = testing::address(198, 51, 100, 1);
  key.source_port = Be16(std::get<1>(flow));
  key.destination_port = Be16(std::get<0>(flow) ? 53 : 80);
  key.protocol = std::get<0>(flow) ? Protocol::kUdp : Protocol::kTcp;
  return key;
}

TEST(PipelineModel, EveryPacketOfAStormGoesWhereTheRulesSay) {
  const uint64_t seed = ::testing::UnitTest::GetInstance()->random_seed() != 0
                            ? static_cast<uint64_t>(::testing::UnitTest::GetInstance()->random_seed())
                            : std::random_device{}();
  std::printf("seed %llu (--gtest_random_seed repeats it)\n", static_cast<unsigned long long>(seed));
  std::mt19937_64 random(seed);
  Rig rig(2, 65536);
  Model model;
  change(rig, random);
  for (int step = 0; step < 60'000; ++step) {
    if (random() % 50 == 0) {
      change(rig, random);
    }
    rig.now += std::chrono::milliseconds(random() % 100 == 0 ? random() % 20'000 : random() % 50);
    const auto kind = static_cast<Kind>(random() % 5);
    const Flow flow{kind == Kind::kUdp, static_cast<uint16_t>(random() % 60)};
    Frame frame;
    frame.from("192.0.2.1", std::get<1>(flow)).to("198.51.100.1", std::get<0>(flow) ? 53 : 80);
    const char* const flags[] = {"S", "PA", "FA", "R"};
    kind == Kind::kUdp ? frame.udp() : frame.tcp(flags[static_cast<int>(kind)]);

    const PoolView& pool = *rig.snapshot().pool(1);
    const size_t worker = random() % 2;
    const uint16_t by_table = pool.slots[pool.slot_of(key_of(flow))];
    const uint16_t expected = model.decide(rig, worker, flow, kind, by_table, rig.now);
    const auto result = rig.run(frame.bytes(), worker);
    ASSERT_EQ(result.verdict, expected == kNoBackend ? Verdict::kDrop : Verdict::kSend);
    ASSERT_EQ(Rig::place_of(result), expected) << "seed " << seed << ", step " << step;
    ASSERT_TRUE(rig.counters_add_up(worker));
  }
}

}  // namespace
}  // namespace maglb
