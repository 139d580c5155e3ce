#include "tools/maglbctl/render/yaml.h"

#include <gtest/gtest.h>

#include <random>

#include "lib/yaml/document.h"

namespace maglb::ctl {
namespace {

using Json = nlohmann::json;

TEST(Yaml, IsBlocksOfPlainWords) {
  EXPECT_EQ(render_yaml(
                Json::parse(R"({"a": [{"b": 1, "c": "web"}, "d/e", [2, 3]], "f": {}, "g": [], "h": null})")),
            "a:\n  - b: 1\n    c: web\n  - d/e\n  - - 2\n    - 3\nf: {}\ng: []\nh: null\n");
}

TEST(Yaml, QuotesWhatAParserWouldTakeForSomethingElse) {
  for (const char* word :
       {"",  "yes", "No",   "NULL", "true", "on",       "y",   "~",          "1",  "1.5", "0x10", "1e3",
        "-", "- a", "a: b", "#",    "a #b", "&a",       "*a",  "!a",         "|",  ">",   "%",    "@",
        "`", "'",   "\"",   "[",    "{",    "10.0.0.1", "::1", "2026-01-01", " a", "a ",  "a\n",  "\\"}) {
    EXPECT_EQ(render_yaml(word).front(), '"') << word;
  }
  EXPECT_EQ(render_yaml("web-1.a_b/C"), "web-1.a_b/C\n");
}

TEST(Yaml, LetsNothingSteerATerminal) {
  EXPECT_EQ(render_yaml(Json{{"\x1b[2J", "\x1b]0;x\x07\x7f\xc2\x9b\t\r\n"}}),
            "\"\\x1b[2J\": \"\\x1b]0;x\\x07\\x7f\\x9b\\t\\r\\n\"\n");
  EXPECT_EQ(render_yaml("\xe2\x80\xae\xe4\xb8\xad\xf0\x9f\x98\x80"), "\"\\u202e\\u4e2d\\U0001f600\"\n");
  EXPECT_EQ(render_yaml("\xff\xc3"), "\"\\ufffd\\ufffd\"\n");
}

// Against the reader of our own configuration, which scans with libyaml.
void expect_same(const Json& json, const yaml::Node& node) {
  if (json.is_object() && !json.empty()) {
    ASSERT_TRUE(node.is_map());
    ASSERT_EQ(node.keys.size(), json.size());
    for (std::size_t i = 0; i < node.keys.size(); ++i) {
      ASSERT_TRUE(json.contains(node.keys[i].text));
      expect_same(json[node.keys[i].text], node.items[i]);
    }
  } else if (json.is_array() && !json.empty()) {
    ASSERT_TRUE(node.is_sequence());
    ASSERT_EQ(node.items.size(), json.size());
    for (std::size_t i = 0; i < json.size(); ++i) {
      expect_same(json[i], node.items[i]);
    }
  } else if (json.is_string()) {
    EXPECT_EQ(node.text, json.get<std::string>());
  } else if (json.is_primitive() && !json.is_null()) {
    EXPECT_EQ(node.text, json.dump());
    EXPECT_FALSE(node.quoted);
  }
}

std::string random_text(std::mt19937& random) {
  constexpr std::string_view kLetters = "ab:-#'\"\\ {}[],&*!|>%@~yn01.\n\t";
  std::string text;
  for (auto left = random() % 8; left > 0; --left) {
    text += kLetters[random() % kLetters.size()];
  }
  return text;
}

Json random_json(std::mt19937& random, int depth) {
  switch (random() % (depth == 0 ? 4 : 6)) {
    case 0:
      return random();
    case 1:
      return nullptr;
    case 2:
      return random() % 2 == 0;
    case 3:
      return random_text(random);
    case 4: {
      Json list = Json::array();
      for (auto left = random() % 4; left > 0; --left) {
        list.push_back(random_json(random, depth - 1));
      }
      return list;
    }
    default: {
      Json object = Json::object();
      for (auto left = random() % 4; left > 0; --left) {
        object[random_text(random)] = random_json(random, depth - 1);
      }
      return object;
    }
  }
}

TEST(Yaml, IsReadBackAsWhatItWas) {
  constexpr unsigned kSeed = 5;
  SCOPED_TRACE(kSeed);
  std::mt19937 random(kSeed);
  for (int i = 0; i < 2000; ++i) {
    const Json json = random_json(random, 5);
    const std::string text = render_yaml(json);
    const auto document = yaml::parse_document(text, "answer");
    ASSERT_TRUE(document) << document.error().to_string() << "\n" << text;
    expect_same(json, *document);
  }
}

}  // namespace
}  // namespace maglb::ctl
