#include "dataplane/sweep_schedule.h"

#include <gtest/gtest.h>

namespace maglb {
namespace {

constexpr uint64_t kHz = 2'600'000'000;
constexpr uint64_t kRound = 10'000;

// Buckets swept in `ticks` by a worker that looks every `round` ticks.
uint64_t swept(size_t buckets, uint64_t ticks, uint64_t round) {
  SweepSchedule schedule(buckets, kHz);
  schedule.done(kHz);
  uint64_t sum = 0;
  for (uint64_t tsc = kHz; tsc < kHz + ticks; tsc += round) {
    if (schedule.due(tsc)) {
      sum += schedule.slice();
      schedule.done(tsc);
    }
  }
  return sum;
}

void expect_about(uint64_t value, uint64_t expected) {
  EXPECT_GE(value, expected - expected / 10);
  EXPECT_LE(value, expected + expected / 10);
}

TEST(SweepSchedule, PassesInASecondUpToItsRate) {
  for (const size_t buckets : {size_t{1} << 10, size_t{1} << 17, size_t{1} << 22}) {
    expect_about(swept(buckets, 2 * kHz, kRound), 2 * buckets);
  }
  expect_about(swept(2, 10 * kHz, kRound), 20);
}

TEST(SweepSchedule, TakesLongerInProportionAboveItsRate) {
  expect_about(swept(size_t{1} << 26, 2 * kHz, kRound), 2 * SweepSchedule::kBucketsPerSecond);
}

TEST(SweepSchedule, MakesUpForASleepOfTwoMilliseconds) {
  SweepSchedule schedule(size_t{1} << 22, kHz);
  schedule.done(kHz);
  const uint64_t awake = kHz + kHz / 500;
  uint64_t sum = 0;
  while (schedule.due(awake)) {
    sum += schedule.slice();
    schedule.done(awake);
  }
  EXPECT_GE(sum, SweepSchedule::kBucketsPerSecond / 500);
}

TEST(SweepSchedule, DoesNotMakeUpForMoreThanSomeMilliseconds) {
  SweepSchedule schedule(size_t{1} << 22, kHz);
  uint64_t sum = 0;
  while (schedule.due(100 * kHz)) {
    sum += schedule.slice();
    schedule.done(100 * kHz);
  }
  EXPECT_LE(sum, SweepSchedule::kBucketsPerSecond / 50);
}

}  // namespace
}  // namespace maglb
