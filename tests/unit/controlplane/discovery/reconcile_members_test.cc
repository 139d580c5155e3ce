// What was found in a running Reconciler: over restarts, under edits, beside the document.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <memory>

#include "controlplane/desired/reconciler.h"
#include "tests/support/temp_dir.h"

namespace maglb::test {
namespace {

const char* const kDocument = R"(version: 1
pools:
  web:
    table_size: 101
    health: {type: none}
    source: {type: file, path: /etc/web.json}
  plain:
    health: {type: none}
    backends: [{name: p, address: 10.0.9.1}]
services:
  - {name: www, address: 192.0.2.1, protocol: tcp, port: 80, pool: web}
  - {name: two, address: 192.0.2.2, protocol: tcp, port: 80, pool: plain}
)";

class ReconcileMembers : public testing::Test {
 protected:
  void SetUp() override {
    write_file(file_, kDocument);
    restart();
  }

  void restart() {
    reconciler_.reset();
    auto store = Store::open(dir_.path() / "state");
    ASSERT_TRUE(store) << store.error().message;
    reconciler_ = std::make_unique<Reconciler>(io_, file_.string(), std::move(*store), publisher_, events_);
    reconciler_->on_document([this] { ++documents_; });
    const auto started = reconciler_->start();
    ASSERT_TRUE(started) << started.error().error.message;
  }

  static BackendConfig member(const std::string& name, const std::string& address, uint32_t weight = 100) {
    return {name, *IpAddress::parse(address), weight};
  }
  void tell(std::vector<BackendConfig> members) { reconciler_->set_members({{"web", std::move(members)}}); }
  // "a=100 b=50"
  std::string running(const std::string& pool = "web") const {
    std::string text;
    for (const BackendConfig& backend : find_pool(reconciler_->config(), pool)->backends) {
      text += (text.empty() ? "" : " ") + backend.name + "=" + std::to_string(backend.weight) +
              (backend.state == AdminState::kDrain ? "!" : "");
    }
    return text;
  }
  size_t events(const std::string& part) const {
    size_t count = 0;
    for (const Event& event : events_.since(0)) {
      count += event.kind == EventKind::kMembers && event.text.find(part) != std::string::npos ? 1 : 0;
    }
    return count;
  }

  TempDir dir_;
  const std::filesystem::path file_ = dir_.path() / "maglb.yaml";
  boost::asio::io_context io_;
  EventLog events_;
  DataplaneClient client_{io_, "no socket", [] {}};
  Publisher publisher_{io_, client_};
  std::unique_ptr<Reconciler> reconciler_;
  size_t documents_ = 0;
};

TEST_F(ReconcileMembers, ServeAtOnceAndAreInNoDocument) {
  EXPECT_EQ(documents_, 1u);
  const uint64_t generation = reconciler_->generation();
  tell({member("a", "10.0.0.1"), member("b", "10.0.0.2", 50)});
  EXPECT_EQ(running(), "a=100 b=50");
  EXPECT_GT(reconciler_->generation(), generation);
  EXPECT_GT(reconciler_->table("web").slots.at("a"), reconciler_->table("web").slots.at("b"));
  EXPECT_EQ(reconciler_->document().text, kDocument);
  EXPECT_EQ(events("2 new (a, b): 2 in all"), 1u);
  // The same again is no change.
  const uint64_t after = reconciler_->generation();
  tell({member("a", "10.0.0.1"), member("b", "10.0.0.2", 50)});
  EXPECT_EQ(reconciler_->generation(), after);
  EXPECT_EQ(documents_, 1u);
}

TEST_F(ReconcileMembers, OutliveARestart) {
  BackendConfig bounded = member("v6-2001-db8--b", "2001:db8::b", 5);
  bounded.max_connections = 9;
  tell({member("a", "10.0.0.1"), bounded});
  const ServiceConfig before = reconciler_->config();
  restart();
  EXPECT_EQ(reconciler_->config(), before);
}

TEST_F(ReconcileMembers, OfAPoolWithoutASourceAreForgotten) {
  tell({member("a", "10.0.0.1")});
  reconciler_->set_members({{"plain", {member("x", "10.0.0.7")}}});
  EXPECT_EQ(running("plain"), "p=100");
  std::string text = kDocument;
  text.replace(text.find("    source: {type: file, path: /etc/web.json}\n"), 46, "    backends: []\n");
  ASSERT_TRUE(reconciler_->put_document(text));
  EXPECT_EQ(running(), "");
  EXPECT_EQ(documents_, 2u);
  // Taken back, they are there.
  ASSERT_TRUE(reconciler_->put_document(kDocument));
  EXPECT_EQ(running(), "a=100");
  ASSERT_TRUE(reconciler_->put_document(text));
  restart();
  ASSERT_TRUE(reconciler_->put_document(kDocument));
  EXPECT_EQ(running(), "");
}

TEST_F(ReconcileMembers, OutliveARestartWhileTheirSourceMayComeBack) {
  tell({member("a", "10.0.0.1")});
  std::string text = kDocument;
  text.replace(text.find("    source: {type: file, path: /etc/web.json}\n"), 46, "    backends: []\n");
  ASSERT_TRUE(reconciler_->put_document(text, {}, std::chrono::seconds(1)));
  restart();
  EXPECT_EQ(running(), "");
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (running() != "a=100" && std::chrono::steady_clock::now() < deadline) {
    io_.run_one_for(std::chrono::milliseconds(10));
    io_.restart();
  }
  EXPECT_EQ(running(), "a=100") << "nobody confirmed";
}

TEST_F(ReconcileMembers, ADrainIsWrittenIntoTheDocumentAndNothingElse) {
  tell({member("a", "10.0.0.1"), member("b", "10.0.0.2")});
  BackendPatch drain;
  drain.state = AdminState::kDrain;
  ASSERT_TRUE(reconciler_->patch_backend("web", "b", drain));
  EXPECT_EQ(running(), "b=100! a=100");
  ASSERT_EQ(find_pool(reconciler_->listed(), "web")->backends.size(), 1u);
  // It stays through a new list, and a restart.
  tell({member("a", "10.0.0.1"), member("b", "10.0.0.2", 7), member("c", "10.0.0.3")});
  EXPECT_EQ(running(), "b=100! a=100 c=100");
  restart();
  EXPECT_EQ(running(), "b=100! a=100 c=100");
  // The override is taken back: as found again.
  ASSERT_TRUE(reconciler_->remove_backend("web", "b"));
  EXPECT_EQ(running(), "a=100 b=7 c=100");
  const auto refused = reconciler_->remove_backend("web", "b");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().error.kind, ErrorKind::kConflict);
}

TEST_F(ReconcileMembers, WhoIsLeftOutIsToldOnce) {
  tell({member("a", "127.0.0.1"), member("b", "10.0.0.2")});
  EXPECT_EQ(running(), "b=100");
  EXPECT_EQ(events("left out: 127.0.0.1 is a loopback address"), 1u);
  tell({member("a", "127.0.0.1"), member("c", "10.0.0.3")});
  EXPECT_EQ(events("left out"), 1u);
}

// A pool has room for its own and its fallback's backends together.
TEST_F(ReconcileMembers, AListWithoutRoomKeepsNoOtherOutAndIsTriedAgain) {
  std::string text = kDocument;
  text.replace(text.find("table_size: 101"), 15, "fallback: plain\n    table_size: 65537");
  text.replace(text.find("services:"), 0,
               "  more:\n    health: {type: none}\n    source: {type: file, path: /etc/more.json}\n");
  ASSERT_TRUE(reconciler_->put_document(text));
  std::vector<BackendConfig> many;
  for (uint32_t i = 0; i < kMaxPoolBackends; ++i) {
    many.push_back(member("m" + std::to_string(i), fmt::format("10.1.{}.{}", i / 250, 1 + i % 250)));
  }
  reconciler_->set_members({{"more", {member("a", "10.0.0.1")}}, {"web", many}});
  EXPECT_EQ(running("more"), "a=100");
  EXPECT_EQ(running(), "");
  EXPECT_EQ(events("members were not taken"), 1u);
  const auto warns = [this] {
    const auto warnings = reconciler_->warnings();
    return std::any_of(warnings.begin(), warnings.end(), [](const std::string& warning) {
      return warning.find("members are not taken") != std::string::npos;
    });
  };
  EXPECT_TRUE(warns());
  reconciler_->set_members({{"web", many}});
  EXPECT_EQ(events("members were not taken"), 1u) << "the same again";
  text.replace(text.find("fallback: plain\n    "), 20, "");
  ASSERT_TRUE(reconciler_->put_document(text));
  EXPECT_EQ(find_pool(reconciler_->config(), "web")->backends.size(), kMaxPoolBackends);
  EXPECT_FALSE(warns());
}

TEST_F(ReconcileMembers, AConditionIsAWarning) {
  reconciler_->set_source_condition("web", "source (file): gone");
  const auto warnings = reconciler_->warnings();
  EXPECT_NE(std::find(warnings.begin(), warnings.end(), "pool web: source (file): gone"), warnings.end());
  reconciler_->set_source_condition("web", "");
  EXPECT_EQ(reconciler_->warnings().size(), warnings.size() - 1);
}

}  // namespace
}  // namespace maglb::test
