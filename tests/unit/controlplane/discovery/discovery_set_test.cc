// Sources that come and go with the configuration, and what is told of them.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "controlplane/discovery/discovery.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/controlplane/discovery/source_fixture.h"

namespace maglb::test {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

class DiscoveryTest : public testing::Test {
 protected:
  fs::path file(const std::string& pool) const { return dir_.path() / (pool + ".json"); }
  void write(const std::string& pool, const std::string& list) const {
    write_file(dir_.path() / "new", list);
    fs::rename(dir_.path() / "new", file(pool));
  }
  static std::string target(const std::string& address) { return "[{\"targets\": [\"" + address + "\"]}]"; }

  void set(const std::vector<std::string>& pools, uint32_t weight = 100) {
    ServiceConfig config;
    for (const std::string& name : pools) {
      PoolConfig& pool = config.pools.emplace_back();
      pool.name = name;
      pool.source.type = SourceType::kFile;
      pool.source.path = file(name);
      pool.source.weight = weight;
    }
    config.pools.emplace_back().name = "static";
    discovery_.set_pools(config);
  }

  bool run_until(const std::function<bool()>& holds) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!holds() && std::chrono::steady_clock::now() < deadline) {
      io_.restart();
      io_.run_one_for(milliseconds(10));
    }
    return holds();
  }
  void run_for(milliseconds time) {
    const auto deadline = std::chrono::steady_clock::now() + time;
    run_until([&] { return std::chrono::steady_clock::now() > deadline; });
  }
  bool has(const std::string& pool, const std::string& list) {
    return run_until([&] { return lists_.contains(pool) && lists_[pool] == list; });
  }
  size_t events(const std::string& part) const {
    const auto all = events_.since(0);
    return static_cast<size_t>(std::count_if(all.begin(), all.end(), [&](const Event& event) {
      return event.kind == EventKind::kMembers && event.text.find(part) != std::string::npos;
    }));
  }

  TempDir dir_;
  boost::asio::io_context io_;
  EventLog events_;
  std::map<std::string, std::string> lists_;
  std::map<std::string, std::string> conditions_;
  size_t calls_ = 0;
  Discovery discovery_{
      io_, events_,
      [this](const std::map<std::string, Members>& told) {
        ++calls_;
        for (const auto& [pool, members] : told) {
          lists_[pool] = words(members);
        }
      },
      [this](const std::string& pool, const std::string& text) { conditions_[pool] = text; }};
};

TEST_F(DiscoveryTest, StartsAndStopsWithTheConfiguration) {
  write("a", target("10.0.1.11"));
  write("b", target("10.0.1.12"));
  set({"a", "b"});
  ASSERT_TRUE(has("a", "10.0.1.11=100"));
  ASSERT_TRUE(has("b", "10.0.1.12=100"));
  EXPECT_LE(calls_, 2u);
  // The one that stays is not told again; the one that changed is.
  lists_.clear();
  set({"a", "b"});
  run_for(milliseconds(150));
  EXPECT_TRUE(lists_.empty());
  set({"a", "b"}, 50);
  ASSERT_TRUE(has("a", "10.0.1.11=50"));
  set({"b"}, 50);
  lists_.clear();
  write("a", target("10.0.1.21"));
  write("b", target("10.0.1.22"));
  ASSERT_TRUE(has("b", "10.0.1.22=50"));
  EXPECT_FALSE(lists_.contains("a"));
}

TEST_F(DiscoveryTest, TellsAConditionOnceAndKeepsTheMembers) {
  write("a", target("10.0.1.11"));
  set({"a"});
  ASSERT_TRUE(has("a", "10.0.1.11=100"));
  EXPECT_EQ(conditions_["a"], "");
  for (const char* garbage : {"x", "xx", "xxx"}) {
    write("a", garbage);
    run_for(milliseconds(100));
  }
  ASSERT_TRUE(run_until([&] { return !conditions_["a"].empty(); }));
  EXPECT_NE(conditions_["a"].find("the last known members stay"), std::string::npos);
  EXPECT_EQ(events("not readable as JSON"), 1u);
  EXPECT_EQ(lists_["a"], "10.0.1.11=100");
  // Nobody at all is an error of another kind.
  write("a", "[]");
  ASSERT_TRUE(run_until([&] { return events("it names nobody") == 1; }));
  EXPECT_EQ(lists_["a"], "10.0.1.11=100");
  write("a", target("10.0.1.12"));
  ASSERT_TRUE(has("a", "10.0.1.12=100"));
  EXPECT_EQ(events("good again"), 1u);
  EXPECT_EQ(conditions_["a"], "");
}

TEST_F(DiscoveryTest, ForgetsTheConditionOfAPoolThatIsGone) {
  set({"a"});
  ASSERT_TRUE(run_until([&] { return !conditions_["a"].empty(); }));
  set({});
  ASSERT_TRUE(run_until([&] { return conditions_["a"].empty(); }));
}

}  // namespace
}  // namespace maglb::test
