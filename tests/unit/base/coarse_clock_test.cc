#include "lib/base/coarse_clock.h"

#include <gtest/gtest.h>

#include <random>

namespace maglb {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Duration kFineUnit{int64_t{1} << Tick::kShift};

Duration unit_of(const Deadline& deadline) {
  return deadline.is_coarse() ? 32 * kFineUnit : kFineUnit;
}

void expect_in_time(Time now, Duration timeout) {
  const Deadline deadline = Deadline::after(now, timeout);
  SCOPED_TRACE("now " + std::to_string(now.count()) + ", timeout " + std::to_string(timeout.count()));
  EXPECT_EQ(deadline.is_coarse(), timeout > Deadline::kLongestFine);
  EXPECT_FALSE(deadline.reached(Tick::at(now)));
  EXPECT_FALSE(deadline.reached(Tick::at(now + timeout / 2)));
  EXPECT_FALSE(deadline.reached(Tick::at(now + timeout - Duration(timeout > Duration(0) ? 1 : 0))));
  EXPECT_FALSE(deadline.reached(Tick::at(now + timeout)));
  EXPECT_TRUE(deadline.reached(Tick::at(now + timeout + 2 * unit_of(deadline))));
}

TEST(Deadline, IsNotReachedBeforeItsTimeoutAndSoonAfter) {
  for (const Time now : {Time(0), Time(1), Time(milliseconds(133)), Time(seconds(1000)), Time(hours(1000))}) {
    for (const Duration timeout :
         {Duration(0), Duration(milliseconds(1)), Duration(seconds(10)), Deadline::kLongestFine,
          Deadline::kLongestFine + Duration(1), Deadline::kLongest}) {
      expect_in_time(now, timeout);
    }
  }
}

TEST(Deadline, KeepsItsTimeAtAnyTime) {
  std::mt19937_64 random(17);
  for (int i = 0; i < 200'000; ++i) {
    // Every third near a wrap-around: of the 16 fine bits, of the coarse ones, of a Tick's 32.
    const int64_t wrap = int64_t{1} << (Tick::kShift + (i % 9 == 0 ? 16 : i % 9 == 3 ? 21 : 32));
    const Time now(
        i % 3 == 0 ? static_cast<int64_t>(random() % 8 + 1) * wrap -
                         static_cast<int64_t>(random() % static_cast<uint64_t>(Deadline::kLongest.count()))
                   : static_cast<int64_t>(random() >> 2));
    const auto longest =
        static_cast<uint64_t>((i % 2 == 0 ? Deadline::kLongestFine : Deadline::kLongest).count());
    if (now < Time(0)) {
      continue;
    }
    expect_in_time(now, Duration(static_cast<int64_t>(random() % (longest + 1))));
    ASSERT_FALSE(::testing::Test::HasFailure());
  }
}

TEST(Deadline, SaysWhatIsLeftAsPlainArithmeticDoes) {
  std::mt19937_64 random(18);
  for (int i = 0; i < 200'000; ++i) {
    const bool coarse = random() % 2 == 0;
    const int shift = Tick::kShift + (coarse ? 5 : 0);
    const int64_t now = static_cast<int64_t>(random() >> 2);
    const int64_t shortest = coarse ? Deadline::kLongestFine.count() + 1 : 0;
    const int64_t longest = (coarse ? Deadline::kLongest : Deadline::kLongestFine).count();
    const int64_t timeout =
        shortest + static_cast<int64_t>(random() % static_cast<uint64_t>(longest - shortest + 1));
    const int64_t later = now + static_cast<int64_t>(random() % static_cast<uint64_t>(longest));
    const Deadline deadline = Deadline::after(Time(now), Duration(timeout));
    const int64_t tick = ((now + timeout) >> Tick::kShift) + 1;
    const int64_t end = coarse ? (tick + 31) >> 5 : tick;
    const int64_t left = end - (later >> shift);
    ASSERT_EQ(deadline.units_left(Tick::at(Time(later))), left);
    ASSERT_EQ(deadline.reached(Tick::at(Time(later))), left <= 0);
    ASSERT_EQ(deadline.left(Tick::at(Time(later))).count(), left <= 0 ? 0 : left << shift);
  }
}

TEST(Deadline, TellsTheOrderOverItsWrapAround) {
  const Deadline before(0xfffe);
  const Deadline after(3);
  EXPECT_TRUE(before.reached(Tick(0x10003)));
  EXPECT_FALSE(after.reached(Tick(0xfffe)));
  EXPECT_EQ(after.left(Tick(0xfffe)), 5 * kFineUnit);
  EXPECT_EQ(before.left(Tick(0x10003)), Duration(0));
  EXPECT_EQ(Deadline(0x20003), after) << "the low 17 bits";
}

TEST(Deadline, CountsATimeoutInTheUnitOfTheDeadlineThatIsGiven) {
  for (const Duration timeout :
       {Duration(seconds(1)), Duration(seconds(10)), Duration(hours(1)), Duration(hours(5))}) {
    for (const Duration given : {timeout, timeout + timeout / 128}) {
      const int16_t units = Deadline::units_of(timeout, given);
      const Duration unit = unit_of(Deadline::after(Time(0), given));
      EXPECT_GE(units * unit, timeout);
      EXPECT_LT(units * unit, timeout + unit);
    }
  }
}

}  // namespace
}  // namespace maglb
