#include "tools/maglbctl/render/human.h"

#include <gtest/gtest.h>

namespace maglb::ctl {
namespace {

TEST(Human, CountsAreExactUpToFourDigitsAndThenHaveAUnit) {
  EXPECT_EQ(human_count(0), "0");
  EXPECT_EQ(human_count(9999), "9999");
  EXPECT_EQ(human_count(10000), "10.0 k");
  EXPECT_EQ(human_count(1234567), "1.2 M");
  EXPECT_EQ(human_count(UINT64_MAX), "18446.7 P");
}

TEST(Human, RoundingNeverShowsAThousandOfAUnit) {
  EXPECT_EQ(human_count(999949), "999.9 k");
  EXPECT_EQ(human_count(999950), "1.0 M");
  EXPECT_EQ(human_bytes(999999), "1.0 MB");
}

TEST(Human, BytesAreDecimal) {
  EXPECT_EQ(human_bytes(0), "0 B");
  EXPECT_EQ(human_bytes(999), "999 B");
  EXPECT_EQ(human_bytes(1500), "1.5 kB");
}

TEST(Human, ExactCountsGroupTheirDigits) {
  EXPECT_EQ(exact_count(0), "0");
  EXPECT_EQ(exact_count(999), "999");
  EXPECT_EQ(exact_count(1000), "1,000");
  EXPECT_EQ(exact_count(UINT64_MAX), "18,446,744,073,709,551,615");
}

TEST(Human, DurationsShowTheirTwoLargestUnits) {
  EXPECT_EQ(human_duration(0), "0ms");
  EXPECT_EQ(human_duration(-5), "0ms");
  EXPECT_EQ(human_duration(0.35), "350ms");
  EXPECT_EQ(human_duration(0.9999), "1s");
  EXPECT_EQ(human_duration(12.5), "12.5s");
  EXPECT_EQ(human_duration(59.96), "1m00s");
  EXPECT_EQ(human_duration(192), "3m12s");
  EXPECT_EQ(human_duration(3599.7), "1h00m");
  EXPECT_EQ(human_duration(4 * 3600 + 300), "4h05m");
  EXPECT_EQ(human_duration(3 * 86400 + 4 * 3600), "3d04h");
  EXPECT_EQ(human_duration(1e300), "11574074074d01h");
}

TEST(Human, SharesArePercent) {
  EXPECT_EQ(human_share(0.25), "25.0 %");
  EXPECT_EQ(human_share(1), "100.0 %");
}

TEST(Human, EscapesWhatSteersATerminal) {
  EXPECT_EQ(escaped("plain text \\ stays"), "plain text \\ stays");
  EXPECT_EQ(escaped("\x1b[31mred\x07"), "\\x1b[31mred\\x07");
  EXPECT_EQ(escaped("a\nb\rc\td"), "a\\nb\\rc\\td");
  EXPECT_EQ(escaped(std::string_view("\0\x7f", 2)), "\\x00\\x7f");
  EXPECT_EQ(escaped("\xc2\x9b"
                    "31m"),
            "\\x9b31m");                               // the one-character CSI of 8-bit terminals
  EXPECT_EQ(escaped("\xe2\x80\xae"), "\\u202e");       // right-to-left override
  EXPECT_EQ(escaped("\xf3\xa0\x81\x81"), "\\ue0041");  // an invisible tag
}

TEST(Human, KeepsLettersOfAllLanguages) {
  EXPECT_EQ(escaped("K\xc3\xb6ln \xe6\x9d\xb1\xe4\xba\xac \xf0\x9f\x9a\x80"),
            "K\xc3\xb6ln \xe6\x9d\xb1\xe4\xba\xac \xf0\x9f\x9a\x80");
}

TEST(Human, EscapesBytesThatAreNoUtf8) {
  EXPECT_EQ(escaped("\xff"), "\\xff");
  EXPECT_EQ(escaped("\xc3"), "\\xc3");                    // cut off
  EXPECT_EQ(escaped("\xc0\x9b"), "\\xc0\\x9b");           // overlong
  EXPECT_EQ(escaped("\xe0\x80\x9b"), "\\xe0\\x80\\x9b");  // overlong
  EXPECT_EQ(escaped("\xed\xa0\x80"), "\\xed\\xa0\\x80");  // a surrogate
  EXPECT_EQ(escaped("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");
}

TEST(Human, WidthIsInColumnsOfATerminal) {
  EXPECT_EQ(display_width(""), 0u);
  EXPECT_EQ(display_width("K\xc3\xb6ln"), 4u);
  EXPECT_EQ(display_width("\xe4\xb8\xad\xe6\x96\x87"), 4u);
  EXPECT_EQ(display_width("e\xcc\x81"), 1u);
  EXPECT_EQ(display_width("\xf0\x9f\x98\x80"), 2u);
  EXPECT_EQ(display_width("\xff\xc3"), 2u);
}

}  // namespace
}  // namespace maglb::ctl
