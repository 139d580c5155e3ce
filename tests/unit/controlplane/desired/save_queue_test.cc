// What the disk refuses for a while is written in the end: another process holds the database.
#include "controlplane/desired/save_queue.h"

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <memory>

#include "tests/support/temp_dir.h"

namespace maglb {
namespace {

using std::chrono::system_clock;

class SaveQueueTest : public testing::Test {
 protected:
  SaveQueueTest() : store_(Store::open(dir_.path() / "state").value()) {
    queue_ = std::make_unique<SaveQueue>(
        io_, store_, [this](const Result<void>& saved) { ++(saved ? written_ : refused_); });
    sqlite3_open((dir_.path() / "state" / "state.db").c_str(), &other_);
  }
  ~SaveQueueTest() override { sqlite3_close(other_); }

  void run(const char* sql) {
    EXPECT_EQ(sqlite3_exec(other_, sql, nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(other_);
  }
  static StoredHealth health(std::string backend, bool healthy) {
    return {"web", std::move(backend), healthy, {}, "why", *IpAddress::parse("10.0.0.1")};
  }
  static StoredDrain drain(std::string backend) {
    return {"web", std::move(backend), system_clock::time_point(std::chrono::seconds(7)), false};
  }
  // Long before it would be tried again by itself.
  void run_until(const int& count) {
    for (int i = 0; i < 600 && count == 0; ++i) {
      io_.restart();
      io_.run_for(std::chrono::milliseconds(50));
    }
  }

  test::TempDir dir_;
  boost::asio::io_context io_;
  Store store_;
  std::unique_ptr<SaveQueue> queue_;
  sqlite3* other_ = nullptr;
  int written_ = 0;
  int refused_ = 0;
};

TEST_F(SaveQueueTest, WhatWasRefusedIsWrittenInTheEndTheNewestOnce) {
  queue_->put(health("gone", true));
  queue_->put(drain("gone"));
  queue_->flush();
  EXPECT_EQ(written_, 1);
  run("BEGIN IMMEDIATE");
  queue_->put(health("a", true));
  queue_->forget_health({"web", "gone"});
  queue_->put(drain("b"));
  queue_->forget_drain({"web", "gone"});
  queue_->put_members("web", {{"web", "m", "10.0.0.9", 1, 0}});
  queue_->flush();
  EXPECT_EQ(refused_, 1);
  queue_->put(health("a", false));
  queue_->flush();
  EXPECT_EQ(refused_, 1) << "the event loop waits once, not for each change";
  run("ROLLBACK");
  written_ = 0;
  run_until(written_);
  EXPECT_EQ(written_, 1);
  const StoredState state = store_.load().value();
  EXPECT_EQ(state.health, std::vector{health("a", false)});
  EXPECT_EQ(state.drains, std::vector{drain("b")});
  EXPECT_EQ(store_.members()->size(), 1u);
}

TEST_F(SaveQueueTest, TriesOnceMoreAtItsEnd) {
  run("BEGIN IMMEDIATE");
  queue_->put(drain("b"));
  queue_->flush();
  EXPECT_EQ(refused_, 1);
  run("ROLLBACK");
  queue_.reset();
  EXPECT_EQ(store_.load()->drains, std::vector{drain("b")});
}

}  // namespace
}  // namespace maglb
