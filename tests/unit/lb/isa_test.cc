// The path in each set of instructions, on the same storm of frames: verdicts, frames and counters.
#include <gtest/gtest.h>

#include <random>

#include "lib/lb/pipeline.h"
#include "tests/support/lb_rig.h"

namespace maglb {
namespace {

using testing::Bytes;
using testing::Frame;
using testing::Rig;

Bytes any_frame(std::mt19937_64& random) {
  const auto below = [&](uint64_t limit) { return random() % limit; };
  const bool is_v6 = below(2) == 0;
  const std::string host = std::to_string(1 + below(3));
  const bool own_source = below(64) == 0;
  const uint16_t ports[] = {80, 81, 53, 8080};
  const uint16_t port = ports[below(8) == 0 ? 3 : below(3)];
  Frame frame;
  frame.from(own_source ? (is_v6 ? "2001:db8::2" : "10.0.0.2") : (is_v6 ? "2001:db8:9::" : "192.0.2.") + host,
             static_cast<uint16_t>(below(60)));
  frame.to((is_v6 ? "2001:db8:100::" : "198.51.100.") + std::string(below(16) == 0 ? "9" : "1"), port);
  const char* const flags[] = {"S", "A", "PA", "A", "FA", "R", "SA"};
  port == 53 ? frame.udp() : frame.tcp(flags[below(7)]);
  frame.tos(static_cast<uint8_t>(random())).payload(below(8) == 0 ? 1400 + below(100) : below(40));
  if (below(2) == 0) {
    frame.dont_fragment();
  } else if (below(32) == 0) {
    frame.fragment(0x2000);
  }
  if (below(4) == 0) {
    frame.padding(below(20));
  }
  if (below(64) == 0) {
    frame.to_mac({2, 9, 9, 9, 9, 9});
  }
  Bytes bytes = frame.bytes();
  if (below(16) == 0) {
    bytes[12 + below(std::min<size_t>(bytes.size() - 12, 50))] ^= static_cast<uint8_t>(1u << below(8));
  }
  if (below(32) == 0) {
    bytes.resize(below(bytes.size() + 1));
  }
  return bytes;
}

struct Burst {
  Batch batch;
  std::vector<Bytes> buffers;

  explicit Burst(const std::vector<Bytes>& frames) {
    constexpr size_t kHeadroom = 64;
    batch.clear();
    for (const Bytes& frame : frames) {
      buffers.emplace_back(kHeadroom + frame.size());
      std::copy(frame.begin(), frame.end(), buffers.back().begin() + kHeadroom);
    }
    for (Bytes& buffer : buffers) {
      batch.add(
          {buffer.data() + kHeadroom, static_cast<uint16_t>(buffer.size() - kHeadroom), kHeadroom, 0, 0});
    }
  }
  Bytes frame(uint32_t i) const {
    return {batch.packets[i].data, batch.packets[i].data + batch.packets[i].length};
  }
};

void change(Rig& rig, uint64_t seed) {
  std::mt19937_64 random(seed);
  const bool nobody = random() % 8 == 0;
  for (uint16_t i = 0; i < Rig::kBackends; ++i) {
    rig.states[i] = nobody              ? PlaceState::kDown
                    : random() % 2 == 0 ? PlaceState::kUp
                                        : static_cast<PlaceState>(random() % 6);
    rig.addresses[i] = i % 2 == 0 ? testing::address(10, 0, 1, static_cast<uint8_t>(11 + i))
                                  : IpAddress::parse("2001:db8:1::" + std::to_string(11 + i)).value();
  }
  rig.shuffle_and_publish(random);
}

void expect_same_counters(const WorkerCounters& a, const WorkerCounters& b) {
  EXPECT_EQ(a.received.value(), b.received.value());
  EXPECT_EQ(a.originated.value(), b.originated.value());
  EXPECT_EQ(a.sent.value(), b.sent.value());
  EXPECT_EQ(a.to_kernel.value(), b.to_kernel.value());
  for (size_t i = 0; i < kDropReasons; ++i) {
    EXPECT_EQ(a.dropped[i].value(), b.dropped[i].value()) << name_of(static_cast<DropReason>(i));
  }
  for (size_t i = 0; i < kEvents; ++i) {
    EXPECT_EQ(a.events[i].value(), b.events[i].value()) << name_of(static_cast<Event>(i));
  }
  const auto expect_same_traffic = [](const auto& x, const auto& y) {
    for (size_t i = 0; i < x.size(); ++i) {
      EXPECT_EQ(x[i].packets.value(), y[i].packets.value());
      EXPECT_EQ(x[i].bytes.value(), y[i].bytes.value());
      EXPECT_EQ(x[i].new_flows.value(), y[i].new_flows.value());
    }
  };
  expect_same_traffic(a.services, b.services);
  expect_same_traffic(a.backends, b.backends);
}

void expect_same_path(Isa isa) {
  if (!cpu_has(isa)) {
    GTEST_SKIP() << "this CPU has not the instructions of " << to_string(isa);
  }
  const uint64_t seed = ::testing::UnitTest::GetInstance()->random_seed() != 0
                            ? static_cast<uint64_t>(::testing::UnitTest::GetInstance()->random_seed())
                            : std::random_device{}();
  std::printf("seed %llu (--gtest_random_seed repeats it)\n", static_cast<unsigned long long>(seed));
  std::mt19937_64 random(seed);
  // A table that some flows do not fit into.
  Rig baseline(1, 256);
  Rig other(1, 256);
  baseline.worker().path = path_of(Isa::kBaseline);
  other.worker().path = path_of(isa);
  for (int step = 0; step < 4000; ++step) {
    if (step % 50 == 0) {
      const uint64_t next = random();
      change(baseline, next);
      change(other, next);
    }
    baseline.now = other.now += std::chrono::milliseconds(random() % 200);
    std::vector<Bytes> frames;
    for (uint64_t i = random() % (kBatchSize + 1); i > 0; --i) {
      frames.push_back(any_frame(random));
    }
    Burst one(frames);
    Burst two(frames);
    process(one.batch, baseline.snapshot(), baseline.worker(), baseline.now);
    process(two.batch, other.snapshot(), other.worker(), other.now);
    baseline.settle(one.batch, 0);
    other.settle(two.batch, 0);
    for (uint32_t i = 0; i < one.batch.size; ++i) {
      ASSERT_EQ(one.batch.verdicts[i], two.batch.verdicts[i]) << "seed " << seed << ", step " << step;
      ASSERT_EQ(one.frame(i), two.frame(i)) << "seed " << seed << ", step " << step;
      if (one.batch.verdicts[i] == Verdict::kSend) {
        ASSERT_EQ(one.batch.out_ports[i], two.batch.out_ports[i]);
      }
    }
    ASSERT_TRUE(baseline.counters_add_up());
  }
  expect_same_counters(baseline.counters(), other.counters());
  for (const DropReason reason :
       {DropReason::kTruncated, DropReason::kBadIpHeader, DropReason::kBadL4Header,
        DropReason::kFragmentLimit, DropReason::kLoop, DropReason::kNoBackend, DropReason::kTooBig}) {
    EXPECT_GT(baseline.dropped(reason), 0u) << name_of(reason) << " was not reached";
  }
  EXPECT_GT(baseline.counters().sent.value(), 10'000u);
}

TEST(PathOf, EveryRunOfTheBaselineIsTheSame) {
  expect_same_path(Isa::kBaseline);
}

TEST(PathOf, Avx2DoesWhatTheBaselineDoes) {
  expect_same_path(Isa::kAvx2);
}

TEST(PathOf, Avx512DoesWhatTheBaselineDoes) {
  expect_same_path(Isa::kAvx512);
}

}  // namespace
}  // namespace maglb
