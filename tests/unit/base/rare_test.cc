#include "lib/base/rare.h"

#include <gtest/gtest.h>

#include <string>

namespace maglb {
namespace {

TEST(Rare, IsAsAnOptionalAndAsSmallAsAPointer) {
  static_assert(sizeof(Rare<std::string>) == sizeof(void*));
  Rare<std::string> none;
  EXPECT_FALSE(none);
  EXPECT_EQ(none.value_or("else"), "else");
  Rare<std::string> one = std::string("one");
  ASSERT_TRUE(one);
  EXPECT_EQ(*one, "one");
  EXPECT_EQ(one->size(), 3u);
  EXPECT_EQ(one.value_or("else"), "one");
  EXPECT_FALSE(one == none);
  EXPECT_TRUE(none == Rare<std::string>(std::nullopt));
  one.reset();
  EXPECT_TRUE(one == none);
}

TEST(Rare, ACopyHasAValueOfItsOwn) {
  Rare<std::string> one = std::string("one");
  Rare<std::string> copy = one;
  EXPECT_TRUE(copy == one);
  *copy = "other";
  EXPECT_EQ(*one, "one");
  one = copy;
  EXPECT_EQ(*one, "other");
  one = static_cast<const Rare<std::string>&>(one);
  EXPECT_EQ(*one, "other");
  const Rare<std::string> moved = std::move(one);
  EXPECT_EQ(*moved, "other");
}

}  // namespace
}  // namespace maglb
