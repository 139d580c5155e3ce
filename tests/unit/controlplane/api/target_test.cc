#include "controlplane/api/target.h"

#include <gtest/gtest.h>

namespace maglb {
namespace {

TEST(Target, TakesPathAndQueryApart) {
  const auto target = Target::parse("/v1/pools/a%2Fb/backends?x=1&y=%3d&z");
  ASSERT_TRUE(target);
  EXPECT_EQ(target->path, (std::vector<std::string>{"v1", "pools", "a/b", "backends"}));
  EXPECT_EQ(target->query, (std::map<std::string, std::string>{{"x", "1"}, {"y", "="}, {"z", ""}}));
  EXPECT_TRUE(Target::parse("/")->path.empty());
}

TEST(Target, TakesAnIpv6AddressAsItIsOrEscaped) {
  for (const char* text : {"/?source=2001:db8::1", "/?source=2001%3Adb8%3a%3A1"}) {
    EXPECT_EQ(Target::parse(text)->query.at("source"), "2001:db8::1");
  }
}

TEST(Target, RefusesWhatCannotBeRead) {
  for (const char* text : {"", "v1", "*", "/%", "/%4", "/%zz", "/?a=%", "/?a=1&a=2"}) {
    EXPECT_FALSE(Target::parse(text)) << text;
  }
}

}  // namespace
}  // namespace maglb
