#include "lib/base/hex.h"

#include <gtest/gtest.h>

namespace maglb {
namespace {

TEST(Hex, EveryOctetThereAndBack) {
  std::string all;
  for (int octet = 0; octet < 256; ++octet) {
    all += static_cast<char>(octet);
  }
  const std::string text = to_hex(all);
  EXPECT_EQ(text.substr(0, 8), "00010203");
  EXPECT_EQ(text.substr(2 * 0x9a, 4), "9a9b");
  EXPECT_EQ(parse_hex(text), all);
  EXPECT_EQ(to_hex(""), "");
  EXPECT_EQ(parse_hex(""), "");
}

TEST(Hex, TakesDigitsOfEitherCase) {
  EXPECT_EQ(parse_hex("aBFf09"), "\xab\xff\x09");
}

TEST(Hex, RefusesWhatIsNoOctets) {
  for (const char* text : {"0", "0a0", "0x0a", "g0", "0g", " 0a", "0a ", "-1", "0:", "@a", "`a", "/0"}) {
    EXPECT_FALSE(parse_hex(text)) << text;
  }
  EXPECT_FALSE(parse_hex(std::string_view("0\0", 2)));
  // Every character is a digit or none.
  int digits = 0;
  for (int c = -128; c < 128; ++c) {
    digits += hex_digit(static_cast<char>(c)) >= 0 ? 1 : 0;
  }
  EXPECT_EQ(digits, 22);
}

}  // namespace
}  // namespace maglb
