#include "lib/yaml/characters.h"

#include <gtest/gtest.h>

#include "lib/yaml/document.h"

namespace maglb::yaml {
namespace {

TEST(Characters, AreFoundByTheirPlace) {
  EXPECT_FALSE(find_bad_character("a\r\n\tb \xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80"));
  const auto bad = find_bad_character("\xc3\xa4\n\xc3\xa4\xc2\x9b");
  ASSERT_TRUE(bad);
  EXPECT_EQ(bad->mark, (Mark{2, 2}));
}

TEST(Characters, InDoubleQuotesAreReadBackAsTheyWere) {
  const std::string texts[] = {"",
                               "plain",
                               "a \"b\" \\c",
                               "\xc2\x85\xc2\x9b",
                               "\xe2\x80\xa8\xe2\x80\xa9",
                               "\xef\xbb\xbf\xef\xbf\xbe\xef\xbf\xbf",
                               "\xf0\x9f\x98\x80",
                               "\x01\t\n\x7f"};
  for (const std::string& text : texts) {
    const std::string quoted = in_double_quotes(text);
    const auto root = parse_document(quoted, "f");
    ASSERT_TRUE(root) << quoted << ": " << root.error().to_string();
    EXPECT_EQ(root->text, text) << quoted;
  }
}

TEST(Characters, AllOfThemAreReadBack) {
  for (uint32_t code_point = 1; code_point < 0x10ffff; code_point += code_point < 0x3000 ? 1 : 251) {
    if (code_point >= 0xd800 && code_point < 0xe000) {
      continue;
    }
    std::string text;
    if (code_point < 0x80) {
      text = static_cast<char>(code_point);
    } else if (code_point < 0x800) {
      text = {static_cast<char>(0xc0 | code_point >> 6), static_cast<char>(0x80 | (code_point & 0x3f))};
    } else if (code_point < 0x10000) {
      text = {static_cast<char>(0xe0 | code_point >> 12), static_cast<char>(0x80 | (code_point >> 6 & 0x3f)),
              static_cast<char>(0x80 | (code_point & 0x3f))};
    } else {
      text = {static_cast<char>(0xf0 | code_point >> 18), static_cast<char>(0x80 | (code_point >> 12 & 0x3f)),
              static_cast<char>(0x80 | (code_point >> 6 & 0x3f)),
              static_cast<char>(0x80 | (code_point & 0x3f))};
    }
    const auto root = parse_document(in_double_quotes(text), "f");
    ASSERT_TRUE(root) << code_point << ": " << root.error().to_string();
    ASSERT_EQ(root->text, text) << code_point;
  }
}

}  // namespace
}  // namespace maglb::yaml
