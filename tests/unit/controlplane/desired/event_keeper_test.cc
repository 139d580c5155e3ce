#include "controlplane/event_keeper.h"

#include <gtest/gtest.h>

#include "tests/support/temp_dir.h"

namespace maglb {
namespace {

class EventKeeperTest : public testing::Test {
 protected:
  void SetUp() override { open(); }

  void open() {
    auto store = Store::open(dir_.path() / "state");
    ASSERT_TRUE(store) << store.error().message;
    store_ = std::make_unique<Store>(std::move(*store));
    log_ = std::make_unique<EventLog>();
    keeper_ = std::make_unique<EventKeeper>(io_, *log_, *store_);
  }

  // As a new process does; with or without what the old one would still do.
  void start_again() {
    keeper_.reset();
    store_.reset();
    open();
  }

  bool run_until_kept(size_t count) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (store_->events()->size() < count && std::chrono::steady_clock::now() < deadline) {
      io_.restart();
      io_.run_one_for(std::chrono::milliseconds(10));
    }
    return store_->events()->size() == count;
  }

  test::TempDir dir_;
  boost::asio::io_context io_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<EventLog> log_;
  std::unique_ptr<EventKeeper> keeper_;
};

TEST_F(EventKeeperTest, KeepsEventsAndTheirNumbersOverARestart) {
  log_->record(EventKind::kConfig, "", "", "revision 1 applied");
  log_->record(EventKind::kHealth, "web", "web1", "unhealthy: refused");
  start_again();
  const auto events = log_->since(0);
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[1].number, 2U);
  EXPECT_EQ(events[1].kind, EventKind::kHealth);
  EXPECT_EQ(events[1].pool, "web");
  EXPECT_EQ(events[1].text, "unhealthy: refused");
  log_->record(EventKind::kConfig, "", "", "later");
  EXPECT_GT(log_->since(0).back().number, 2U);
}

TEST_F(EventKeeperTest, WritesWhatComesWithinItsInterval) {
  for (int i = 0; i < 10; ++i) {
    log_->record(EventKind::kHealth, "web", "web1", "healthy");
  }
  EXPECT_TRUE(run_until_kept(10));
}

// The store as a killed process leaves it: what came last is not there, and its number is not given again.
TEST_F(EventKeeperTest, GivesNoNumberTwiceAfterAKill) {
  log_->record(EventKind::kConfig, "", "", "kept: it promised numbers");
  log_->record(EventKind::kConfig, "", "", "lost with the process");
  const uint64_t given = log_->since(0).back().number;
  EXPECT_EQ(store_->events()->size(), 1U);
  EXPECT_GE(*store_->promised_events(), given);
  EventLog next;
  boost::asio::io_context io;
  const EventKeeper keeper(io, next, *store_);
  EXPECT_GT(next.next_number(), given);
}

}  // namespace
}  // namespace maglb
