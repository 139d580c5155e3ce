#include "lib/base/token_bucket.h"

#include <gtest/gtest.h>

namespace maglb {
namespace {

using namespace std::chrono_literals;

int taken(TokenBucket& bucket, Time now, int tries) {
  int count = 0;
  for (int i = 0; i < tries; ++i) {
    count += bucket.take(now) ? 1 : 0;
  }
  return count;
}

TEST(TokenBucket, GivesABurstAndThenItsRate) {
  TokenBucket bucket(10, 5);
  EXPECT_EQ(taken(bucket, 1s, 100), 5);
  EXPECT_EQ(taken(bucket, 1s + 99ms, 100), 0);
  EXPECT_EQ(taken(bucket, 1s + 100ms, 100), 1);
  EXPECT_EQ(taken(bucket, 1s + 300ms, 100), 2);
}

TEST(TokenBucket, KeepsNoMoreThanItsBurst) {
  TokenBucket bucket(1000, 3);
  EXPECT_EQ(taken(bucket, 1h, 100), 3);
  EXPECT_EQ(taken(bucket, 2h, 100), 3);
}

}  // namespace
}  // namespace maglb
