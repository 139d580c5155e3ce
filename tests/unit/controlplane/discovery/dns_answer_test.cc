// Answers that say it through aliases, that are cut and mangled, and weights of SRV.
#include "controlplane/discovery/dns_answer.h"

#include <gtest/gtest.h>

#include <random>

namespace maglb::test {
namespace {

using Bytes = std::vector<uint8_t>;
using std::chrono::seconds;

Bytes operator+(Bytes a, const Bytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

// The question is for "web.test" (at 12), class IN; `type` is of no interest to the reader.
Bytes message(uint8_t answers, const Bytes& records) {
  const Bytes head = {0,   7,   0x81, 0x80, 0,   1,   0,   answers, 0, 0, 0, 0, 3,
                      'w', 'e', 'b',  4,    't', 'e', 's', 't',     0, 0, 1, 0, 1};
  return head + records;
}

Bytes record(const Bytes& owner, uint8_t type, uint8_t ttl, const Bytes& data) {
  return owner + Bytes{0, type, 0, 1, 0, 0, 0, ttl, 0, static_cast<uint8_t>(data.size())} + data;
}

const Bytes kWeb = {0xc0, 12};
const Bytes kOther = {1, 'x', 0xc0, 16};  // x.test

TEST(DnsAnswer, HasTheAddressesOfTheNameAndTheLeastTtl) {
  const auto answer =
      read_answer(message(3, record(kWeb, 1, 60, {10, 0, 1, 11}) + record(kWeb, 1, 9, {10, 0, 1, 12}) +
                                 record(kOther, 1, 1, {10, 0, 1, 13})),
                  "WEB.test", RecordType::kA);
  ASSERT_TRUE(answer) << answer.error().message;
  ASSERT_EQ(answer->addresses.size(), 2u);
  EXPECT_EQ(answer->addresses[1].to_string(), "10.0.1.12");
  EXPECT_EQ(answer->ttl, seconds(9));
}

TEST(DnsAnswer, FollowsAliasesInAnyOrderAndOnlyToAnEnd) {
  const Bytes address = record(kOther, 1, 60, {10, 0, 1, 13});
  const Bytes alias = record(kWeb, 5, 5, kOther);
  for (const Bytes& records : {alias + address, address + alias}) {
    const auto answer = read_answer(message(2, records), "web.test", RecordType::kA);
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(answer->addresses.size(), 1u);
    EXPECT_EQ(answer->ttl, seconds(5));
  }
  const Bytes back = record(kOther, 5, 5, kWeb);
  const auto circle = read_answer(message(2, alias + back), "web.test", RecordType::kA);
  ASSERT_TRUE(circle);
  EXPECT_TRUE(circle->addresses.empty());
}

TEST(DnsAnswer, ReadsTargets) {
  const auto answer = read_answer(message(1, record(kWeb, 33, 3, Bytes{0, 1, 0, 2, 0, 80} + kOther)),
                                  "web.test", RecordType::kSrv);
  ASSERT_TRUE(answer) << answer.error().message;
  ASSERT_EQ(answer->targets.size(), 1u);
  EXPECT_EQ(answer->targets[0].name, "x.test");
  EXPECT_EQ(answer->targets[0].priority, 1);
  EXPECT_EQ(answer->targets[0].weight, 2);
  EXPECT_EQ(answer->targets[0].port, 80);
}

TEST(DnsAnswer, RefusesRecordsOfTheWrongLength) {
  EXPECT_FALSE(read_answer(message(1, record(kWeb, 1, 3, {10, 0, 1})), "web.test", RecordType::kA));
  EXPECT_FALSE(read_answer(message(1, record(kWeb, 28, 3, {10, 0, 1, 11})), "web.test", RecordType::kAaaa));
  EXPECT_FALSE(
      read_answer(message(1, record(kWeb, 33, 3, {0, 1, 0, 2, 0, 80})), "web.test", RecordType::kSrv));
  EXPECT_FALSE(read_answer(message(2, record(kWeb, 1, 3, {10, 0, 1, 11})), "web.test", RecordType::kA));
  EXPECT_FALSE(read_answer({}, "web.test", RecordType::kA));
}

// Every cut and many random changes; the sanitizers watch.
TEST(DnsAnswer, TakesAnyBytes) {
  const Bytes good = message(3, record(kWeb, 5, 5, kOther) + record(kOther, 1, 60, {10, 0, 1, 13}) +
                                    record(kOther, 33, 3, Bytes{0, 1, 0, 2, 0, 80} + kOther));
  std::mt19937 random(std::random_device{}());
  for (size_t size = 0; size < good.size(); ++size) {
    const Bytes cut(good.begin(), good.begin() + static_cast<ptrdiff_t>(size));
    EXPECT_FALSE(read_answer(cut, "web.test", RecordType::kA)) << size;
  }
  for (int i = 0; i < 20000; ++i) {
    Bytes bytes = good;
    for (int changes = 1 + static_cast<int>(random() % 4); changes > 0; --changes) {
      bytes[random() % bytes.size()] = static_cast<uint8_t>(random());
    }
    for (const RecordType type : {RecordType::kA, RecordType::kAaaa, RecordType::kSrv}) {
      const auto answer = read_answer(bytes, "web.test", type);
      EXPECT_TRUE(!answer || answer->addresses.size() + answer->targets.size() <= 255);
    }
  }
}

TEST(ServingTargets, AreThoseOfTheLowestPriority) {
  using List = std::vector<WeightedName>;
  EXPECT_EQ(serving_targets({{20, 5, 80, "b"}, {10, 5, 80, "a"}, {10, 0, 80, "c"}}),
            (List{{"a", 5}, {"c", 1}}));
  // Whose name is the root says that there is no service there.
  EXPECT_EQ(serving_targets({{0, 5, 80, ""}, {10, 5, 80, "a"}}), (List{{"a", 5}}));
  EXPECT_EQ(serving_targets({{0, 5, 80, ""}}), List{});
  EXPECT_EQ(serving_targets({{0, 65535, 80, "a"}, {0, 32768, 80, "b"}, {0, 1, 80, "c"}}),
            (List{{"a", 10000}, {"b", 5000}, {"c", 1}}));
}

}  // namespace
}  // namespace maglb::test
