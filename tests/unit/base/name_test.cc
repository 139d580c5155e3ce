#include "lib/base/name.h"

#include <gtest/gtest.h>

#include <string>

namespace maglb {
namespace {

TEST(Name, HasLettersDigitsAndThreeMarks) {
  for (const char* name : {"a", "0", "web-1.example_x", "A9"}) {
    EXPECT_TRUE(is_name(name)) << name;
  }
  for (const char* name : {"", ".a", "-a", "_a", "a b", "a/b", "a\n", "\xc3\xa4"}) {
    EXPECT_FALSE(is_name(name)) << name;
  }
}

TEST(Name, HasAtMost63Characters) {
  EXPECT_TRUE(is_name(std::string(63, 'a')));
  EXPECT_FALSE(is_name(std::string(64, 'a')));
}

}  // namespace
}  // namespace maglb
