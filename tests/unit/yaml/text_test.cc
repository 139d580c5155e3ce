#include "lib/yaml/text.h"

#include <gtest/gtest.h>

#include <vector>

namespace maglb::yaml {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

TEST(Text, ReadsDurationsWithAUnit) {
  EXPECT_EQ(parse_duration("500ms"), Duration(milliseconds(500)));
  EXPECT_EQ(parse_duration("1s"), Duration(seconds(1)));
  EXPECT_EQ(parse_duration("5m"), Duration(minutes(5)));
  EXPECT_EQ(parse_duration("1h"), Duration(hours(1)));
  EXPECT_EQ(parse_duration("0s"), Duration(0));
  for (const char* bad : {"", "1", "s", "-1s", "1.5s", "1 s", "1S", "01s", "1us", "1d", "9999999999h",
                          "99999999999999999999s", "1s1"}) {
    EXPECT_FALSE(parse_duration(bad)) << bad;
  }
}

TEST(Text, WritesDurationsThatReadBack) {
  for (const int64_t ms : {1, 500, 1000, 1500, 60000, 90000, 3600000, 86400000, 0}) {
    const Duration duration = milliseconds(ms);
    EXPECT_EQ(parse_duration(format_duration(duration)), duration) << ms;
  }
  EXPECT_EQ(format_duration(milliseconds(1500)), "1500ms");
  EXPECT_EQ(format_duration(minutes(15)), "15m");
}

TEST(Text, ReadsIntegersStrictly) {
  EXPECT_EQ(parse_integer("0"), 0u);
  EXPECT_EQ(parse_integer("18446744073709551615"), UINT64_MAX);
  for (const char* bad :
       {"", "-1", "+1", "1.0", "0x10", "007", "1_000", " 1", "1 ", "18446744073709551616"}) {
    EXPECT_FALSE(parse_integer(bad)) << bad;
  }
}

TEST(Text, ReadsSizes) {
  EXPECT_EQ(parse_size("512M"), uint64_t{512} << 20);
  EXPECT_EQ(parse_size("2G"), uint64_t{2} << 30);
  EXPECT_EQ(parse_size("100"), 100u);
  EXPECT_FALSE(parse_size("1T"));
  EXPECT_FALSE(parse_size("99999999999G"));
}

TEST(Text, FindsTheWordThatWasMeant) {
  const std::string_view known[] = {"interval", "timeout", "port", "path"};
  EXPECT_EQ(closest("intervall", known), "interval");
  EXPECT_EQ(closest("prot", known), "port");
  EXPECT_EQ(closest("elephant", known), "");
  EXPECT_EQ(closest(std::string(100000, 'x'), known), "");
  const std::vector<std::string_view> many(kMaxCandidates + 1, "interval");
  EXPECT_EQ(closest("intervall", many), "");
}

TEST(Text, QuotesForMessages) {
  EXPECT_EQ(quote("a\nb"), "'a\\x0ab'");
  EXPECT_EQ(quote(std::string(61, 'x')), "'" + std::string(60, 'x') + "...'");
  EXPECT_EQ(quote(std::string(59, 'x') + "\xe2\x82\xac"), "'" + std::string(59, 'x') + "...'");
}

}  // namespace
}  // namespace maglb::yaml
