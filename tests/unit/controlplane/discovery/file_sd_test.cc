// file_sd as Prometheus documents it, in both formats, and everything that may be wrong with it.
#include "controlplane/discovery/file_sd.h"

#include <gtest/gtest.h>

#include <random>

#include "controlplane/discovery/member_list.h"
#include "lib/base/name.h"
#include "tests/unit/controlplane/discovery/source_fixture.h"

namespace maglb::test {
namespace {

std::string json(const std::string& text) {
  const auto members = parse_file_sd(text, "web.json", 100);
  return members ? words(*members) : "error: " + members.error().message;
}

std::string yaml(const std::string& text) {
  const auto members = parse_file_sd(text, "web.yml", 100);
  return members ? words(*members) : "error: " + members.error().message;
}

testing::AssertionResult refused(const std::string& result, const std::string& part) {
  if (result.starts_with("error: ") && result.find(part) != std::string::npos) {
    return testing::AssertionSuccess();
  }
  return testing::AssertionFailure() << result;
}

TEST(FileSd, TakesTheSameFromBothFormats) {
  const std::string expected = "10.0.1.11=100 10.0.1.12=50 v6-2001-db8--b@2001:db8::b=50";
  EXPECT_EQ(json(R"([
      {"targets": ["10.0.1.11:80"], "labels": {"env": "prod"}},
      {"targets": ["10.0.1.12", "[2001:db8::b]:80"], "labels": {"weight": "50"}}
    ])"),
            expected);
  EXPECT_EQ(yaml("- targets: ['10.0.1.11:80']\n  labels: {env: prod}\n"
                 "- targets:\n  - 10.0.1.12\n  - '[2001:db8::b]:80'\n  labels:\n    weight: 50\n"),
            expected);
  EXPECT_EQ(json("[\n\t{\"targets\":[\"10.0.1.11:80\"],\"labels\":null}]"), "10.0.1.11=100");
  EXPECT_EQ(json("[]"), "");
  EXPECT_EQ(yaml("[]"), "");
}

TEST(FileSd, TakesMaxConnections) {
  const auto members =
      parse_file_sd(R"([{"targets": ["10.0.1.11"], "labels": {"max_connections": "7"}}])", "a", 1);
  ASSERT_TRUE(members) << members.error().message;
  EXPECT_EQ(members->front().max_connections, 7u);
}

TEST(FileSd, OneAddressIsOneMember) {
  EXPECT_EQ(json(R"([{"targets": ["10.0.1.11:80", "10.0.1.11:81"], "labels": {"weight": "5"}},
                     {"targets": ["10.0.1.11"], "labels": {"weight": "9"}}])"),
            "10.0.1.11=9");
}

TEST(FileSd, RefusesNamesAndSaysWhoLooksThemUp) {
  EXPECT_TRUE(refused(json(R"([{"targets": ["web1.example:80"]}])"), "a source of type dns does that"));
  EXPECT_TRUE(refused(yaml("- targets: [web1]\n"), "a source of type dns does that"));
}

TEST(FileSd, RefusesWhatIsWrong) {
  EXPECT_TRUE(refused(json("{}"), "expected a list"));
  EXPECT_TRUE(refused(json(""), "web.json:1:1: not readable as JSON"));
  EXPECT_TRUE(refused(json("[\n {\"targets\": [\"10.0.1.11\"]},\n x"), "web.json:3:2: not readable as JSON"));
  EXPECT_TRUE(refused(json("[1]"), "group 1: expected targets"));
  EXPECT_TRUE(refused(json(R"([{"targets": "10.0.1.11"}])"), "expected targets"));
  EXPECT_TRUE(refused(json(R"([{"targets": [1]}])"), "expected a target in quotes"));
  EXPECT_TRUE(refused(json(R"([{"targets": ["10.0.1.11:0"]}])"), "not in 1..65535"));
  EXPECT_TRUE(refused(json(R"([{"targets": ["10.0.1.11:65536"]}])"), "not in 1..65535"));
  EXPECT_TRUE(refused(json(R"([{"targets": ["10.0.1.11:"]}])"), "not in 1..65535"));
  EXPECT_TRUE(refused(json(R"([{"targets": ["[2001:db8::b"]}])"), "expected an address"));
  EXPECT_TRUE(refused(json(R"([{"targets": ["10.0.1.11"], "labels": {"weight": "-1"}}])"), "0..10000"));
  EXPECT_TRUE(refused(json(R"([{"targets": ["10.0.1.11"], "labels": {"weight": "10001"}}])"), "0..10000"));
  EXPECT_TRUE(refused(json(R"([{"targets": ["10.0.1.11"], "labels": {"weight": []}}])"), "0..10000"));
  EXPECT_TRUE(refused(json(R"([{"targets": ["10.0.1.11"], "labels": []}])"), "labels, a map"));
  EXPECT_TRUE(refused(json(R"([{"targets": ["10.0.1.11"], "label": {}}])"), "not 'label'"));
  EXPECT_TRUE(refused(yaml("a: b\n"), "expected a list"));
  EXPECT_TRUE(refused(yaml("- 10.0.1.11\n"), "web.yml:1:3"));
  EXPECT_TRUE(refused(yaml("- targets: [10.0.1.11]\n  label: {}\n"), "did you mean"));
  EXPECT_TRUE(refused(json(std::string(100000, '[')), "not readable as JSON"));
}

TEST(FileSd, BoundsTheMembers) {
  std::string text = "[{\"targets\": [\"10.0.0.0\"";
  const auto grow = [&](size_t from, size_t to) {
    for (size_t i = from; i < to; ++i) {
      text += ", \"10.0." + std::to_string(i / 256) + "." + std::to_string(i % 256) + "\"";
    }
  };
  grow(1, kMaxPoolBackends);
  EXPECT_FALSE(json(text + "]}]").starts_with("error"));
  grow(kMaxPoolBackends, kMaxPoolBackends + 1);
  EXPECT_TRUE(refused(json(text + "]}]"), "at most 16384"));
}

// Many random changes of a good file; the sanitizers watch.
TEST(FileSd, TakesAnyBytes) {
  std::mt19937 random(std::random_device{}());
  const std::string good =
      R"([{"targets": ["10.0.1.11:80", "[2001:db8::b]:80"], "labels": {"weight": "5"}}])";
  for (int i = 0; i < 3000; ++i) {
    std::string text = good;
    for (int changes = 1 + static_cast<int>(random() % 4); changes > 0; --changes) {
      text[random() % text.size()] = static_cast<char>(random());
    }
    text.resize(random() % 4 == 0 ? random() % text.size() : text.size());
    for (const char* path : {"a.json", "a.yml"}) {
      const auto members = parse_file_sd(text, path, 1);
      for (const BackendConfig& member : members.value_or(Members())) {
        EXPECT_TRUE(is_name(member.name)) << text;
      }
    }
  }
}

TEST(MemberName, IsOneOfABackend) {
  for (const char* text : {"10.0.1.11", "2001:db8::b", "::1", "::", "1::", "2001:db8:1:2:3:4:5:6"}) {
    const auto address = IpAddress::parse(text);
    EXPECT_TRUE(is_name(member_name(*address))) << text;
  }
  EXPECT_EQ(member_name(*IpAddress::parse("2001:db8::b")), "v6-2001-db8--b");
}

}  // namespace
}  // namespace maglb::test
