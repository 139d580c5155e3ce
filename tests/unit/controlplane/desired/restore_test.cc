// What an earlier process knew, taken up by the next one. Probes have no turn: the io_context is not run.
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <algorithm>
#include <filesystem>
#include <memory>

#include "controlplane/desired/reconciler.h"
#include "tests/support/temp_dir.h"

namespace maglb {
namespace {

const char* const kDocument = R"(version: 1
pools:
  web:
    backends:
      - {name: a, address: 10.0.1.11}
      - {name: b, address: 10.0.1.12}
      - {name: c, address: 10.0.1.13}
services:
  - {name: web, address: 192.0.2.1, protocol: tcp, port: 80, pool: web}
)";

class RestoreTest : public testing::Test {
 protected:
  Store open() {
    auto store = Store::open(state_dir());
    EXPECT_TRUE(store) << store.error().message;
    return std::move(store).value();
  }
  // What the document before and its probes left behind: c is dead.
  void leave(const char* document = kDocument) {
    Store store = open();
    ASSERT_TRUE(store.save_document(document, DocumentSource::kFile, content_hash(document)));
    ASSERT_TRUE(store.save_health_changes(
        std::vector{row("a", true, "10.0.1.11"), row("b", true, "10.0.1.12"), row("c", false, "10.0.1.13")},
        {}));
  }
  static StoredHealth row(std::string backend, bool healthy, const char* address) {
    return {"web", std::move(backend), healthy, {}, "as it was", *IpAddress::parse(address)};
  }
  Store open_again() {
    reconciler_.reset();
    return open();
  }
  void run_sql(const char* sql) {
    sqlite3* handle = nullptr;
    ASSERT_EQ(sqlite3_open((state_dir() / "state.db").c_str(), &handle), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(handle, sql, nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(handle);
    sqlite3_close(handle);
  }

  void start(const std::string& document) {
    test::write_file(file_, document);
    reconciler_ = std::make_unique<Reconciler>(io_, file_.string(), open(), publisher_, events_);
    const auto started = reconciler_->start();
    ASSERT_TRUE(started) << started.error().error.message;
  }
  ProbeOpinion health(const std::string& backend) const {
    const PoolConfig& pool = *find_pool(reconciler_->config(), "web");
    return reconciler_->status(pool, *find_backend(pool, backend)).health;
  }
  static std::string moved() {
    std::string text = kDocument;
    return text.replace(text.find("10.0.1.11"), 9, "10.0.1.99");
  }
  std::filesystem::path state_dir() const { return dir_.path() / "state"; }

  test::TempDir dir_;
  const std::filesystem::path file_ = dir_.path() / "maglb.yaml";
  boost::asio::io_context io_;
  EventLog events_;
  DataplaneClient client_{io_, "no socket", [] {}};
  Publisher publisher_{io_, client_};
  std::unique_ptr<Reconciler> reconciler_;
};

TEST_F(RestoreTest, HealthIsThatOfTheSameAddress) {
  leave();
  start(kDocument);
  EXPECT_EQ(health("a"), ProbeOpinion::kHealthy);
  EXPECT_EQ(health("c"), ProbeOpinion::kUnhealthy);
}

TEST_F(RestoreTest, ABackendThatMovedMeanwhileIsNotKnown) {
  leave();
  start(moved());
  EXPECT_EQ(health("a"), ProbeOpinion::kUnknown);
  EXPECT_FALSE(reconciler_->health_now()("web", "a")) << "until its first probe";
  EXPECT_EQ(health("b"), ProbeOpinion::kHealthy);
  EXPECT_EQ(reconciler_->table("web").slots.at("a"), 0u);
}

TEST_F(RestoreTest, RowsWithoutAnAddressAreAboutTheDocumentBesideThem) {
  leave();
  run_sql("UPDATE health SET address = ''");
  start(moved());
  EXPECT_EQ(health("a"), ProbeOpinion::kUnknown);
  EXPECT_EQ(health("b"), ProbeOpinion::kHealthy);
  EXPECT_EQ(health("c"), ProbeOpinion::kUnhealthy);
}

// b has been in drain for long, by the document.
class RevertTest : public RestoreTest {
 protected:
  void SetUp() override {
    leave(document().c_str());
    {
      Store store = open();
      ASSERT_TRUE(store.save_drain_changes(std::vector{StoredDrain{"web", "b", kLongAgo, false}}, {}));
    }
    start(document());
  }
  static std::string document() {
    std::string text = kDocument;
    return text.replace(text.find("10.0.1.12}"), 10, "10.0.1.12, state: drain}");
  }
  static std::string without_the_pool() {
    std::string text = document();
    text.replace(text.find("  web:"), 6, "  new:");
    return text.replace(text.find("pool: web"), 9, "pool: new");
  }
  std::optional<WallTime> drain_began() const {
    const PoolConfig& pool = *find_pool(reconciler_->config(), "web");
    return reconciler_->status(pool, *find_backend(pool, "b")).drain_began;
  }
  size_t stored_rows(const char* pool) {
    reconciler_.reset();
    const StoredState state = open().load().value();
    return static_cast<size_t>(std::count_if(state.health.begin(), state.health.end(),
                                             [&](const StoredHealth& one) { return one.pool == pool; }) +
                               std::count_if(state.drains.begin(), state.drains.end(),
                                             [&](const StoredDrain& one) { return one.pool == pool; }));
  }
  static inline const WallTime kLongAgo{std::chrono::seconds(1700000000)};
};

TEST_F(RevertTest, WhatADroppedPoolWasComesBackWithIt) {
  ASSERT_EQ(drain_began(), kLongAgo);
  const uint64_t before = reconciler_->document().revision;
  ASSERT_TRUE(reconciler_->put_document(without_the_pool(), {}, std::chrono::minutes(5)));
  ASSERT_EQ(find_pool(reconciler_->config(), "web"), nullptr);
  ASSERT_TRUE(reconciler_->roll_back(before, {}));
  EXPECT_EQ(drain_began(), kLongAgo);
  EXPECT_EQ(health("a"), ProbeOpinion::kHealthy);
  EXPECT_EQ(health("c"), ProbeOpinion::kUnhealthy);
  EXPECT_EQ(reconciler_->table("web").slots.at("c"), 0u);
  EXPECT_EQ(stored_rows("web"), 4u);
}

TEST_F(RevertTest, ARestartInBetweenForgetsNeither) {
  const uint64_t before = reconciler_->document().revision;
  ASSERT_TRUE(reconciler_->put_document(without_the_pool(), {}, std::chrono::minutes(5)));
  reconciler_.reset();
  start(document());
  ASSERT_EQ(find_pool(reconciler_->config(), "web"), nullptr);
  ASSERT_TRUE(reconciler_->roll_back(before, {}));
  EXPECT_EQ(drain_began(), kLongAgo);
  EXPECT_EQ(health("c"), ProbeOpinion::kUnhealthy);
}

TEST_F(RevertTest, OnceConfirmedItIsForgotten) {
  ASSERT_TRUE(reconciler_->put_document(without_the_pool(), {}, std::chrono::minutes(5)));
  ASSERT_TRUE(reconciler_->confirm({}));
  EXPECT_EQ(stored_rows("web"), 0u);
}

TEST_F(RevertTest, ARollbackToTheRunningRevisionConfirmsIt) {
  ASSERT_TRUE(reconciler_->put_document(without_the_pool(), {}, std::chrono::minutes(5)));
  ASSERT_TRUE(reconciler_->unconfirmed());
  const uint64_t running = reconciler_->document().revision;
  ASSERT_TRUE(reconciler_->roll_back(running, {}));
  EXPECT_FALSE(reconciler_->unconfirmed());
  EXPECT_EQ(reconciler_->document().revision, running);
  EXPECT_FALSE(open_again().load()->unconfirmed);
}

TEST_F(RestoreTest, AProgramThatMayNotBeRunIsRefusedAndOneThatWasTakenIsNotRun) {
  std::string text = kDocument;
  text.replace(text.find("    backends:"), 0,
               "    health: {type: exec, command: [/bin/true], interval: 10s, timeout: 5s}\n");
  leave(text.c_str());
  start(text);
  EXPECT_EQ(health("a"), ProbeOpinion::kUnknown) << "taken by an earlier version";
  EXPECT_TRUE(reconciler_->health_now()("web", "a")) << "and that is no evidence";
  const auto warnings = reconciler_->warnings();
  EXPECT_TRUE(std::any_of(warnings.begin(), warnings.end(), [](const std::string& warning) {
    return warning.find("--exec-dir") != std::string::npos;
  }));
  BackendPatch patch;
  patch.weight = 7;
  EXPECT_TRUE(reconciler_->patch_backend("web", "a", patch)) << "another matter";
  text.replace(text.find("/bin/true"), 9, "/bin/echo");
  const auto refused = reconciler_->put_document(text);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().error.message.find("--exec-dir"), std::string::npos);
}

}  // namespace
}  // namespace maglb
