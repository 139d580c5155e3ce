#include "tools/maglbctl/render/rate.h"

#include <gtest/gtest.h>

namespace maglb::ctl {
namespace {

TEST(Rate, IsTheDifferencePerSecond) {
  EXPECT_EQ(rate(Json{{"n", 100}}, Json{{"n", 300}}, "n", 2), 100);
  EXPECT_EQ(rate(Json{{"n", 100}}, Json{{"n", 100}}, "n", 2), 0);
}

TEST(Rate, IsNothingWithoutTwoReadings) {
  EXPECT_FALSE(rate(Json(), Json{{"n", 3}}, "n", 2));
  EXPECT_FALSE(rate(Json{{"n", 3}}, Json{{"n", nullptr}}, "n", 2));
  EXPECT_FALSE(rate(Json{{"n", 3}}, Json{{"n", -3}}, "n", 2));
  EXPECT_FALSE(rate(Json{{"n", 3}}, Json{{"n", "7"}}, "n", 2));
  EXPECT_FALSE(rate(Json{{"n", 300}}, Json{{"n", 100}}, "n", 2)) << "the dataplane started anew";
  EXPECT_FALSE(rate(Json{{"n", 1}}, Json{{"n", 2}}, "n", 0));
}

TEST(Rate, IsWrittenForPeople) {
  EXPECT_EQ(human_rate(std::nullopt), "-");
  EXPECT_EQ(human_rate(0), "0");
  EXPECT_EQ(human_rate(0.001), "0.1");
  EXPECT_EQ(human_rate(2.25), "2.2");
  EXPECT_EQ(human_rate(9.96), "10");
  EXPECT_EQ(human_rate(1234567), "1.2 M");
  EXPECT_EQ(human_rate(1e300), "1000.0 P");
}

TEST(Busy, IsOfTheTimeBetweenTheSamples) {
  // 25 % of 100 s, then 50 % of 200 s: 75 of the last 100 s were busy.
  EXPECT_EQ(busy_between(Json{{"busy", 0.25}}, 100, Json{{"busy", 0.5}}, 200), 0.75);
  EXPECT_EQ(busy_between(Json{{"busy", 0.5}}, 100, Json{{"busy", 0.1}}, 101), 0.0) << "never below";
  EXPECT_EQ(busy_between(Json{{"busy", 0.1}}, 100, Json{{"busy", 0.9}}, 101), 1.0) << "nor above";
}

TEST(Busy, IsSinceTheStartWithoutTimeBetween) {
  EXPECT_EQ(busy_between(Json{{"busy", 0.25}}, 100, Json{{"busy", 0.5}}, 100), 0.5);
  EXPECT_EQ(busy_between(Json(), 0, Json{{"busy", 0.5}}, 100), 0.5);
  EXPECT_EQ(busy_between(Json{{"busy", 0.9}}, 100, Json{{"busy", 0.5}}, 3), 0.5) << "it started anew";
  EXPECT_FALSE(busy_between(Json(), 0, Json(), 100));
}

}  // namespace
}  // namespace maglb::ctl
