#include "controlplane/desired/confirmation.h"

#include <gtest/gtest.h>

namespace maglb {
namespace {

using std::chrono::milliseconds;
using std::chrono::system_clock;

class ConfirmationTest : public testing::Test {
 protected:
  static Unconfirmed change(milliseconds from_now) { return {2, 1, system_clock::now() + from_now}; }

  // Runs until `reverts_` is that many, with a generous deadline for busy machines.
  bool run_until_reverts(int count) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (reverts_ < count && std::chrono::steady_clock::now() < deadline) {
      io_.restart();
      io_.run_one_for(milliseconds(10));
    }
    return reverts_ == count;
  }

  boost::asio::io_context io_;
  int reverts_ = 0;
  Confirmation confirmation_{io_, [this] { ++reverts_; }};
};

TEST_F(ConfirmationTest, RevertsAtTheDeadline) {
  confirmation_.watch(change(milliseconds(20)));
  ASSERT_TRUE(confirmation_.pending());
  EXPECT_EQ(confirmation_.pending()->revision, 2U);
  EXPECT_TRUE(run_until_reverts(1));
}

TEST_F(ConfirmationTest, RevertsAtOnceWhatIsOverdue) {
  confirmation_.watch(change(-std::chrono::hours(1)));
  EXPECT_TRUE(run_until_reverts(1));
}

TEST_F(ConfirmationTest, AllowsNothingElseMeanwhile) {
  EXPECT_TRUE(confirmation_.allow_change());
  confirmation_.watch(change(std::chrono::hours(1)));
  const auto allowed = confirmation_.allow_change();
  ASSERT_FALSE(allowed);
  EXPECT_EQ(allowed.error().kind, ErrorKind::kConflict);
  EXPECT_NE(allowed.error().message.find("revision 2 is not confirmed"), std::string::npos);
  confirmation_.watch(std::nullopt);
  EXPECT_TRUE(confirmation_.allow_change());
}

TEST_F(ConfirmationTest, ForgetsItsClockWhenItIsConfirmed) {
  confirmation_.watch(change(milliseconds(0)));
  confirmation_.watch(std::nullopt);
  io_.restart();
  io_.run_for(milliseconds(50));
  EXPECT_EQ(reverts_, 0);
}

TEST_F(ConfirmationTest, WaitsForTheNewDeadlineOnly) {
  confirmation_.watch(change(milliseconds(0)));
  confirmation_.watch(change(std::chrono::hours(1)));
  io_.restart();
  io_.run_for(milliseconds(50));
  EXPECT_EQ(reverts_, 0);
}

}  // namespace
}  // namespace maglb
