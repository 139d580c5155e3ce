#include "lib/yaml/document.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace maglb::yaml {
namespace {

using testing::HasSubstr;

std::string refusal(std::string_view text) {
  const auto document = parse_document(text, "f");
  return document ? "accepted" : document.error().to_string();
}

TEST(Document, KnowsWhereEveryNodeStands) {
  const auto root = parse_document("a: 1\nb:\n  - x\n  - {c: 'y', d: }\n", "f");
  ASSERT_TRUE(root) << root.error().to_string();
  ASSERT_EQ(root->keys.size(), 2u);
  EXPECT_EQ(root->items[0].mark, (Mark{1, 4}));
  EXPECT_EQ(root->keys[1].mark, (Mark{2, 1}));
  const Node& list = root->items[1];
  ASSERT_TRUE(list.is_sequence());
  EXPECT_EQ(list.items[0].mark, (Mark{3, 5}));
  const Node& map = list.items[1];
  EXPECT_EQ(map.mark, (Mark{4, 5}));
  EXPECT_TRUE(map.items[0].quoted);
  EXPECT_EQ(map.items[0].text, "y");
  EXPECT_TRUE(map.items[1].is_null());
  EXPECT_EQ(map.items[1].mark, (Mark{4, 14})) << "an empty value stands where its key does";
}

TEST(Document, EmptyFileIsANullNode) {
  for (const char* text : {"", "\n\n", "# nothing\n", "---\n"}) {
    const auto root = parse_document(text, "f");
    ASSERT_TRUE(root) << text;
    EXPECT_TRUE(root->is_null());
    EXPECT_GE(root->mark.line, 1u);
  }
}

TEST(Document, RefusesWhatReadsAmbiguously) {
  EXPECT_EQ(refusal("a: 1\nb: 2\na: 3\n"), "f:3:1: duplicate key 'a'");
  EXPECT_THAT(refusal("a: &x 1\nb: *x\n"), HasSubstr("anchors are not supported"));
  EXPECT_THAT(refusal("a: &x 1\nb: *x\n"), HasSubstr("f:2:4: aliases are not supported"));
  EXPECT_THAT(refusal("a: !!str 1\n"), HasSubstr("tags are not supported"));
  EXPECT_THAT(refusal("a: 1\n---\nb: 2\n"), HasSubstr("one document a file"));
  EXPECT_THAT(refusal("? [a, b]\n: 1\n"), HasSubstr("expected a key"));
  EXPECT_THAT(refusal("a: !!python/object:os.system [x]\n"), HasSubstr("tags are not supported"));
}

TEST(Document, SaysWhereTheSyntaxIsBroken) {
  EXPECT_THAT(refusal("a: [1, 2\nb: 3\n"), HasSubstr("f:2:"));
  EXPECT_EQ(refusal("a: \"x\n"), "f:1:4: expected a closing quote");
  EXPECT_EQ(refusal("a: 'x''\n"), "f:1:4: expected a closing quote");
  EXPECT_EQ(refusal("a: \"x\\\"\nb: 1"), "f:1:4: expected a closing quote");
  EXPECT_EQ(refusal("a: 'x'''''\nb: \"\\\"\"\nc: |\n  \"text\n"), "accepted");
  EXPECT_EQ(refusal("a:\n  b:\n\tc: 1\n"), "f:3:1: expected spaces: a tab does not indent");
  EXPECT_THAT(refusal("a: b: c\n"), HasSubstr("f:1:"));
  EXPECT_THAT(refusal("}"), HasSubstr("f:1:1:"));
  EXPECT_EQ(refusal("a: [1, 2\nb: 3\n"), "f:2:2: expected , or ] in the list (it begins at 1:4)");
  EXPECT_EQ(refusal("a: 1\nword\nb: 2\n"), "f:2:1: expected a : behind the key, on its line");
  EXPECT_EQ(refusal("a: b: c\n"), "f:1:5: a ': ' is not possible here: text that has one is put in quotes");
  EXPECT_EQ(refusal("a: @b\n"), "f:1:4: a value does not begin with this character: put it in quotes");
  EXPECT_EQ(refusal("a: [::/0]\n"),
            "f:1:5: expected a value: in [ ] and { } text that begins with : is put in quotes");
  EXPECT_EQ(refusal("\xc3\xa4: \"\xe2\x82\xac\n"), "f:1:4: expected a closing quote") << "in characters";
}

TEST(Document, ReadsAddressesOfIpv6) {
  const auto root = parse_document("[2001:db8::1, {a: 2001:db8::/32}, '::']\n", "f");
  ASSERT_TRUE(root) << root.error().to_string();
  EXPECT_EQ(root->items[0].text, "2001:db8::1");
  EXPECT_EQ(root->items[1].items[0].text, "2001:db8::/32");
  EXPECT_EQ(root->items[2].text, "::");
}

TEST(Document, TellsNullFromText) {
  const auto root = parse_document("[~, null, Null, NULL, 'null', \"\", x, nULL]\n", "f");
  ASSERT_TRUE(root) << root.error().to_string();
  for (size_t i = 0; i < root->items.size(); ++i) {
    EXPECT_EQ(root->items[i].is_null(), i < 4) << i;
  }
}

TEST(Document, FindsAKeyOfManyThatIsThereTwice) {
  std::string text;
  for (int i = 0; i < 1000; ++i) {
    text += "k" + std::to_string(i) + ": 1\n";
  }
  EXPECT_EQ(refusal(text), "accepted");
  EXPECT_EQ(refusal(text + "k7: 1\n"), "f:1001:1: duplicate key 'k7'");
  EXPECT_EQ(refusal(text + "k999: 1\n"), "f:1001:1: duplicate key 'k999'");
}

TEST(Document, RefusesWhatReadersTakeForTheEndOfALineOrNot) {
  EXPECT_EQ(refusal("# \xe2\x80\xa8 a: 1\n"),
            "f:1:3: character U+2028 is not allowed: in double quotes it is written \\u2028");
  EXPECT_THAT(refusal("a: '\xc2\x85'\n"), HasSubstr("f:1:5: character U+0085"));
  EXPECT_THAT(refusal("a: 1\n\xef\xbb\xbf"
                      "b: 1\n"),
              HasSubstr("f:2:1: character U+FEFF"));
  EXPECT_EQ(refusal("\xef\xbb\xbf"
                    "a: 1\n"),
            "accepted")
      << "at the beginning it says UTF-8";
  const auto root = parse_document("a: \"\\u2028\\N\"\n", "f");
  ASSERT_TRUE(root);
  EXPECT_EQ(root->items[0].text, "\xe2\x80\xa8\xc2\x85");
}

TEST(Document, RefusesBytesThatAreNoText) {
  EXPECT_EQ(refusal(std::string_view("a: \0b\n", 6)), "f:1:4: control character 0x00 is not allowed");
  EXPECT_EQ(refusal("a: 1\nb: \x04\n"), "f:2:4: control character 0x04 is not allowed");
  EXPECT_EQ(refusal("a: \xff\n"), "f:1:4: expected UTF-8 text");
  EXPECT_EQ(refusal("a: \xc0\xaf\n"), "f:1:4: expected UTF-8 text") << "overlong";
  EXPECT_EQ(refusal("a: \xed\xa0\x80\n"), "f:1:4: expected UTF-8 text") << "surrogate";
  EXPECT_EQ(refusal("a: \xf4\x90\x80\x80\n"), "f:1:4: expected UTF-8 text") << "beyond U+10FFFF";
  EXPECT_EQ(refusal("a: \xe2\x82"), "f:1:4: expected UTF-8 text") << "cut off";
  EXPECT_EQ(refusal("a: \xe2\x82\xac \xf0\x9f\x98\x80\n"), "accepted");
  EXPECT_NE(refusal(std::string("\xff\xfe"
                                "a\0:\0",
                                6)),
            "accepted")
      << "UTF-16";
}

TEST(Document, NestsToItsBoundAndNoDeeper) {
  std::string deep;
  for (size_t i = 0; i < kMaxDepth; ++i) {
    deep += "[";
  }
  const std::string closing(kMaxDepth, ']');
  EXPECT_EQ(refusal(deep + closing), "accepted");
  EXPECT_THAT(refusal("[" + deep + closing + "]"), HasSubstr("f:1:65: nested deeper than 64 levels"));
  std::string block;
  for (size_t i = 0; i < 100000; ++i) {
    block += "- ";
  }
  EXPECT_THAT(refusal(block), HasSubstr("nested deeper than 64 levels"));
}

TEST(Document, HostileTextCostsBoundedWork) {
  EXPECT_THAT(refusal(std::string(kMaxBytes + 1, 'a')), HasSubstr("longer than 16 MiB"));
  EXPECT_THAT(refusal(std::string(kMaxBytes, '[')), HasSubstr("nested deeper"));
  std::string directives;
  while (directives.size() < kMaxBytes - 16) {
    directives += "%TAG !a! tag:a\n";
  }
  EXPECT_EQ(refusal(directives), "f:17:1: more than 16 lines begin with %");
  std::string keys;
  while (keys.size() < kMaxBytes - 4096) {
    keys += "? " + std::string(1000, '[') + "\n";
  }
  EXPECT_NE(refusal(keys), "accepted");
  EXPECT_THAT(refusal(std::string(200000, '[')), HasSubstr("nested deeper"));
  EXPECT_THAT(refusal(std::string(200000, '{')), HasSubstr("nested deeper"));
  std::string bomb = "a: &a [x, x]\n";
  for (char c = 'b'; c <= 'z'; ++c) {
    bomb += std::string(1, c) + ": &" + c + " [*" + static_cast<char>(c - 1) + ", *" +
            static_cast<char>(c - 1) + "]\n";
  }
  EXPECT_THAT(refusal(bomb), HasSubstr("aliases are not supported"));
  std::string many_problems;
  for (int i = 0; i < 1000; ++i) {
    many_problems += "a: 1\n";
  }
  const auto document = parse_document(many_problems, "f");
  ASSERT_FALSE(document);
  EXPECT_EQ(document.error().list().size(), Problems::kMaximum);
}

TEST(Document, HoldsABoundedNumberOfValues) {
  std::string list;
  for (size_t i = 0; i < kMaxNodes; ++i) {
    list += "- \n";
  }
  EXPECT_THAT(refusal(list), HasSubstr("more than 1048576 values"));
}

TEST(Document, ReportsSeveralProblemsInTheOrderOfTheFile) {
  EXPECT_EQ(refusal("a: 1\na: 2\nb: &x 1\nb: 1\n"),
            "f:2:1: duplicate key 'a'\nf:3:4: anchors are not supported: write the value out\nf:4:1: "
            "duplicate key 'b'");
}

TEST(File, SaysWhyItCannotBeRead) {
  const auto missing = read_file("/nonexistent/maglb.yaml");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().to_string(),
            "/nonexistent/maglb.yaml: cannot be read: No such file or directory");
  EXPECT_FALSE(read_file("/"));
  const auto endless = read_file("/dev/zero");
  ASSERT_FALSE(endless);
  EXPECT_EQ(endless.error().to_string(), "/dev/zero: longer than 16 MiB");
}

}  // namespace
}  // namespace maglb::yaml
