#include "controlplane/api/side_thread.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <memory>

namespace maglb {
namespace {

class SideThreadTest : public testing::Test {
 protected:
  void ask(unsigned status) {
    side_->run(
        [this, status] {
          while (!open_) {
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
          }
          most_ = std::max(most_.load(), ++running_);
          --running_;
          return ApiResponse{status, "", ""};
        },
        [this](const ApiResponse& answer) { answers_.push_back(answer); });
  }
  void run_until(size_t count) {
    for (int i = 0; i < 20000 && answers_.size() < count; ++i) {
      io_.restart();
      io_.run_for(std::chrono::milliseconds(1));
    }
  }

  boost::asio::io_context io_;
  // As in the daemon, where something always waits.
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_ =
      boost::asio::make_work_guard(io_);
  std::unique_ptr<SideThread> side_ = std::make_unique<SideThread>(io_);
  std::atomic<bool> open_ = false;
  std::atomic<int> running_ = 0;
  std::atomic<int> most_ = 0;
  std::vector<ApiResponse> answers_;
};

TEST_F(SideThreadTest, OneAtATimeFewWaitAndMoreAreRefused) {
  for (unsigned i = 0; i < 1 + SideThread::kMostWaiting; ++i) {
    ask(200 + i);
  }
  EXPECT_TRUE(answers_.empty()) << "nothing is waited for";
  ask(299);
  ASSERT_EQ(answers_.size(), 1u);
  EXPECT_EQ(answers_[0].status, 503u);
  EXPECT_GT(answers_[0].retry_after, 0u);
  open_ = true;
  run_until(2 + SideThread::kMostWaiting);
  ASSERT_EQ(answers_.size(), 2 + SideThread::kMostWaiting);
  for (unsigned i = 0; i < 1 + SideThread::kMostWaiting; ++i) {
    EXPECT_EQ(answers_[i + 1].status, 200 + i);
  }
  EXPECT_EQ(most_, 1);
}

TEST_F(SideThreadTest, ItsEndWaitsForTheJobAndTellsNobody) {
  ask(200);
  ask(201);
  open_ = true;
  side_.reset();
  EXPECT_TRUE(answers_.empty());
}

}  // namespace
}  // namespace maglb
