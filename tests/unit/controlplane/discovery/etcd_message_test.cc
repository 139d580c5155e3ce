// The gateway's words as etcd 3.4 writes them, and everything else.
#include "controlplane/discovery/etcd_message.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/unit/controlplane/discovery/source_fixture.h"

namespace maglb::test {
namespace {

const char* const kRange =
    R"({"header":{"cluster_id":"1","revision":"5"},"kvs":[{"key":"L3cvYQ==","create_revision":"2","value":"MTAuMC4xLjEx"},)"
    R"({"key":"L3cvYg==","value":""}],"count":"2"})";
const char* const kWatched =
    R"({"result":{"header":{"revision":"6"},"events":[{"kv":{"key":"L3cvYQ==","value":"MTAuMC4xLjEy"}},)"
    R"({"type":"DELETE","kv":{"key":"L3cvYg==","mod_revision":"6"}}]}})";

TEST(EtcdMessage, AsksForAPrefix) {
  EXPECT_EQ(etcd::range_request("/w/", 9), R"({"key":"L3cv","limit":"9","range_end":"L3cw"})");
  EXPECT_EQ(etcd::watch_request("/w/", 6),
            R"({"create_request":{"key":"L3cv","range_end":"L3cw","start_revision":"6"}})");
}

TEST(EtcdMessage, ReadsARangeAndAWatch) {
  const auto range = etcd::read_range(kRange);
  ASSERT_TRUE(range) << range.error().message;
  EXPECT_EQ(range->revision, 5);
  EXPECT_EQ(range->pairs, (etcd::Pairs{{"/w/a", "10.0.1.11"}, {"/w/b", ""}}));
  const auto watched = etcd::read_watched(kWatched);
  ASSERT_TRUE(watched) << watched.error().message;
  ASSERT_EQ(watched->changes.size(), 2u);
  EXPECT_EQ(watched->changes[0].value, "10.0.1.12");
  EXPECT_TRUE(watched->changes[1].is_delete);
  EXPECT_EQ(watched->changes[1].key, "/w/b");
  EXPECT_FALSE(watched->ended);
  const auto compacted =
      etcd::read_watched(R"({"result":{"header":{"revision":"9"},"canceled":true,"compact_revision":"8"}})");
  EXPECT_TRUE(compacted && compacted->ended);
}

TEST(EtcdMessage, TellsEtcdsOwnErrors) {
  EXPECT_EQ(etcd::read_range(R"({"error":"etcdserver: request timed out","code":14})").error().message,
            "etcd says: etcdserver: request timed out");
  EXPECT_EQ(etcd::read_watched(R"({"error":{"grpc_code":14,"message":"gone"}})").error().message,
            "etcd says: gone");
  EXPECT_FALSE(etcd::read_range("404 page not found"));
  EXPECT_FALSE(etcd::read_range("{}"));
  EXPECT_FALSE(etcd::read_range(R"({"header":{"revision":"5"},"more":true})"));
  EXPECT_TRUE(etcd::read_range(R"({"header":{"revision":"5"}})"));
}

TEST(EtcdMessage, AnErrorOfDeepNestingEndsNobody) {
  const std::string deep = std::string(300'000, '[') + std::string(300'000, ']');
  for (const std::string& body : {"{\"error\":" + deep + "}", "{\"error\":{\"message\":" + deep + "}}"}) {
    const auto answer = etcd::read_range(body);
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().message, "etcd says: an error without a text");
  }
}

TEST(EtcdMessage, AnErrorsTextIsOneLineOfBoundedLength) {
  const auto answer = etcd::read_range("{\"error\":\"a\\n\\u001b[2J" + std::string(5000, 'x') + "\"}");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().message.find_first_of("\n\x1b"), std::string::npos);
  EXPECT_LT(answer.error().message.size(), 600u);
}

TEST(EtcdMessage, TakesTwoKindsOfValues) {
  const auto found = etcd::members_of(
      {{"/w/a", " 10.0.1.11:80\n"}, {"/w/b", R"({"address": "2001:db8::b", "weight": 0, "since": "today"})"}},
      100);
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(words(found->members), "a@10.0.1.11=100 b@2001:db8::b=0");
  EXPECT_EQ(found->complaint, "");
}

TEST(EtcdMessage, LeavesOutWhatIsNoMember) {
  const auto found = etcd::members_of({{"/w/a", "10.0.1.11"},
                                       {"/w/b", "web.example"},
                                       {"/w/c", R"({"address": "10.0.1.12", "weight": 10001})"},
                                       {"/w/", "10.0.1.13"},
                                       {"/w/x/a", "10.0.1.14"}},
                                      100);
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(words(found->members), "a@10.0.1.11=100");
  for (const char* part : {"'/w/b': expected an address", "'/w/c': expected a weight", "'/w/': its last part",
                           "'/w/x/a': another key has this name"}) {
    EXPECT_NE(found->complaint.find(part), std::string::npos) << found->complaint;
  }
}

// Many random changes; the sanitizers watch.
TEST(EtcdMessage, TakesAnyBytes) {
  std::mt19937 random(std::random_device{}());
  for (int i = 0; i < 10000; ++i) {
    std::string text = i % 2 == 0 ? kRange : kWatched;
    for (int changes = 1 + static_cast<int>(random() % 4); changes > 0; --changes) {
      text[random() % text.size()] = static_cast<char>(random());
    }
    const auto range = etcd::read_range(text);
    const auto watched = etcd::read_watched(text);
    EXPECT_TRUE(!range || range->pairs.size() <= 2);
    EXPECT_TRUE(!watched || watched->changes.size() <= 2);
  }
}

}  // namespace
}  // namespace maglb::test
