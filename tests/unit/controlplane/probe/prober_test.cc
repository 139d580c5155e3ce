#include "controlplane/probe/prober.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/unit/controlplane/probe/probe_fixture.h"

namespace maglb::test {
namespace {

using std::chrono::seconds;

class ProberTest : public ProbeTest {
 protected:
  static Server::Serve drop() {
    return [](std::shared_ptr<Server::Connection>) {};
  }
  std::vector<std::shared_ptr<Server::Connection>> held_;
};

TEST_P(ProberTest, KnowsNobodyWhoIsNoUser) {
  EXPECT_FALSE(prober().status("web", "b"));
  Server server(io_, loopback(), drop());
  prober().set_users({user("b", server.port(), config())});
  EXPECT_EQ(health("b"), Health::kUnknown);
  EXPECT_EQ(status("b").consecutive, 0u);
  EXPECT_FALSE(prober().status("web", "c"));
  prober().set_users({});
  EXPECT_FALSE(prober().status("web", "b"));
}

TEST_P(ProberTest, TellsOfADeathAfterFallFailuresAndOfTheReturnAfterRise) {
  auto server = std::make_unique<Server>(io_, loopback(), drop());
  const uint16_t port = server->port();
  prober().set_users({user("b", port, config())});
  ASSERT_TRUE(run_until([&] { return transitions_.size() == 1; }));
  EXPECT_EQ(transitions_[0].status.health, Health::kHealthy);

  server->close();
  ASSERT_TRUE(run_until([&] { return transitions_.size() == 2; }));
  EXPECT_EQ(transitions_[1].status.health, Health::kUnhealthy);
  EXPECT_EQ(transitions_[1].status.reason, "connect: connection refused");
  EXPECT_EQ(transitions_[1].status.consecutive, 3u);
  EXPECT_EQ(transitions_[1].pool, "web");
  EXPECT_EQ(transitions_[1].backend, "b");

  tcp::acceptor again(io_, tcp::endpoint(asio_address(loopback()), port));
  ASSERT_TRUE(run_until([&] { return transitions_.size() == 3; }));
  EXPECT_EQ(transitions_[2].status.health, Health::kHealthy);
  EXPECT_EQ(transitions_[2].status.consecutive, 2u);
  EXPECT_LT(std::chrono::system_clock::now() - transitions_[2].status.since, seconds(60));
}

TEST_P(ProberTest, ProbesASharedTargetOnceAndTellsEveryUser) {
  Server server(io_, loopback(), drop());
  ProbeConfig rare = config();
  rare.interval = seconds(600);
  std::vector<ProbeUser> users = {user("a", server.port(), rare), user("b", server.port(), rare)};
  users.push_back(users[0]);
  users.back().pool = "other";
  users.push_back(users[0]);
  prober().set_users(users);
  ASSERT_TRUE(run_until([&] { return transitions_.size() == 3; }));
  run_for(milliseconds(50));
  EXPECT_EQ(server.accepted(), 1u);
  EXPECT_EQ(transitions_.size(), 3u);
  EXPECT_EQ(prober().counters().targets, 1u);
}

TEST_P(ProberTest, AUserOfSeveralTargetsIsAsHealthyAsItsWorst) {
  Server good(io_, loopback(), drop());
  auto bad = std::make_unique<Server>(io_, loopback(), drop());
  prober().set_users({user("b", good.port(), config()), user("b", bad->port(), config())});
  ASSERT_TRUE(run_until([&] { return health("b") == Health::kHealthy; }));
  EXPECT_EQ(transitions_.size(), 1u);
  bad->close();
  ASSERT_TRUE(run_until([&] { return health("b") == Health::kUnhealthy; }));
  EXPECT_EQ(status("b").reason, "connect: connection refused");
  prober().set_users({user("b", good.port(), config())});
  EXPECT_EQ(health("b"), Health::kHealthy);
  EXPECT_EQ(transitions_.size(), 2u);
}

TEST_P(ProberTest, KeepsTheStateOfUnchangedTargets) {
  Server one(io_, loopback(), drop());
  Server two(io_, loopback(), drop());
  ProbeConfig rare = config();
  rare.interval = seconds(600);
  prober().set_users({user("a", one.port(), rare)});
  ASSERT_TRUE(run_until([&] { return health("a") == Health::kHealthy; }));
  const ProbeStatus before = status("a");
  prober().set_users({user("b", two.port(), rare), user("a", one.port(), rare)});
  ASSERT_TRUE(run_until([&] { return health("b") == Health::kHealthy; }));
  EXPECT_EQ(status("a").since, before.since);
  EXPECT_EQ(status("a").consecutive, 1u);
  EXPECT_EQ(one.accepted(), 1u);
}

TEST_P(ProberTest, AFaultIsNoEvidenceAndForgetsNone) {
  auto server = std::make_unique<Server>(io_, loopback(), drop());
  ProbeConfig patient = config();
  patient.fall = 1000000;
  ProbeUser one = user("b", server->port(), patient);
  prober().set_users({one});
  ASSERT_TRUE(run_until([&] { return health("b") == Health::kHealthy; }));
  server->close();
  ASSERT_TRUE(run_until([&] { return status("b").consecutive >= 5 && status("b").reason != "connected"; }));
  const ProbeStatus before = status("b");
  one.target.fault = "no route";
  prober().set_users({one});
  EXPECT_EQ(health("b"), Health::kUnknown);
  EXPECT_EQ(status("b").reason, "no route");
  one.target.fault.clear();
  prober().set_users({one});
  EXPECT_EQ(health("b"), Health::kHealthy);
  EXPECT_EQ(status("b").reason, before.reason);
  EXPECT_EQ(status("b").since, before.since);
  EXPECT_EQ(status("b").consecutive, before.consecutive) << "it falls when it would have";
}

TEST_P(ProberTest, StartsWithTheHealthThatWasKnown) {
  Server server(io_, loopback(), drop());
  server.close();
  const WallTime since = std::chrono::system_clock::now() - std::chrono::hours(3);
  prober().set_users({user("b", server.port(), config(), KnownHealth{true, since, "connected"})});
  EXPECT_EQ(health("b"), Health::kHealthy);
  EXPECT_EQ(status("b").since, since);
  EXPECT_EQ(status("b").reason, "connected");
  ASSERT_TRUE(run_until([&] { return health("b") == Health::kUnhealthy; }));
  EXPECT_EQ(prober().counters().failures, 3u);
}

TEST_P(ProberTest, AChangedProbeOfTheSameAddressDoesNotForgetHealth) {
  Server server(io_, loopback(), drop());
  prober().set_users({user("b", server.port(), config())});
  ASSERT_TRUE(run_until([&] { return health("b") == Health::kHealthy; }));
  const WallTime since = status("b").since;
  ProbeConfig changed = config();
  changed.interval = seconds(30);
  prober().set_users({user("b", server.port(), changed)});
  EXPECT_EQ(health("b"), Health::kHealthy);
  EXPECT_EQ(status("b").since, since);
  ProbeUser moved = user("b", server.port(), changed);
  moved.target.address = IpAddress::v4({127, 0, 0, 2});
  prober().set_users({moved});
  EXPECT_EQ(health("b"), Health::kUnknown);
}

TEST_P(ProberTest, ProbesEveryIntervalAndNotMoreOften) {
  Server server(io_, loopback(), drop());
  const auto start = std::chrono::steady_clock::now();
  prober().set_users({user("b", server.port(), config())});
  ASSERT_TRUE(run_until([&] { return server.accepted() >= 20; }));
  const auto elapsed = std::chrono::steady_clock::now() - start;
  const auto shortest = config().interval * 15 / 16;
  EXPECT_LE(prober().counters().attempts, static_cast<uint64_t>(elapsed / shortest) + 1);
}

TEST_P(ProberTest, AProbeNeverOverlapsItself) {
  Server server(io_, loopback(), hang(held_));
  ProbeConfig slow = config(ProbeType::kHttp);
  slow.timeout = milliseconds(100);
  prober().set_users({user("b", server.port(), slow)});
  EXPECT_TRUE(run_until([&] {
    EXPECT_LE(prober().counters().in_flight, 1u);
    return prober().counters().failures >= 3;
  }));
}

TEST_P(ProberTest, BoundsTheDescriptorsAndServesTheWaitingInTurn) {
  start_prober({.max_in_flight = 3, .random_seed = 1});
  Server server(io_, loopback(), hang(held_));
  std::vector<ProbeUser> users;
  for (int i = 0; i < 12; ++i) {
    ProbeConfig hung = config(ProbeType::kHttp);
    hung.timeout = milliseconds(50);
    hung.path = "/" + std::to_string(i);
    users.push_back(user("b" + std::to_string(i), server.port(), hung));
  }
  prober().set_users(users);
  uint64_t most = 0;
  EXPECT_TRUE(run_until([&] {
    most = std::max(most, prober().counters().in_flight);
    return transitions_.size() == 12;
  }));
  EXPECT_EQ(most, 3u);
  EXPECT_GT(prober().counters().waiting, 0u);
  prober().set_users({});
  EXPECT_EQ(prober().counters().waiting, 0u);
  EXPECT_EQ(prober().counters().in_flight, 0u);
}

// While it lives, no descriptor can be had.
class NoDescriptors {
 public:
  NoDescriptors() {
    getrlimit(RLIMIT_NOFILE, &before_);
    const int next = open("/dev/null", O_RDONLY | O_CLOEXEC);
    close(next);
    const rlimit none{static_cast<rlim_t>(next), before_.rlim_max};
    setrlimit(RLIMIT_NOFILE, &none);
  }
  ~NoDescriptors() { setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
};

TEST_P(ProberTest, OurOwnLackOfDescriptorsIsNoFailureOfTheBackend) {
  Server server(io_, loopback(), drop());
  prober().set_users({user("b", server.port(), config(), KnownHealth{true, {}, "connected"})});
  {
    const NoDescriptors none;
    ASSERT_TRUE(run_until([&] { return prober().counters().skipped >= 5; }));
  }
  EXPECT_EQ(health("b"), Health::kHealthy);
  EXPECT_EQ(prober().counters().failures, 0u);
  EXPECT_EQ(status("b").consecutive, 0u);
  EXPECT_TRUE(run_until([&] { return prober().counters().successes > 0; }));
  EXPECT_TRUE(transitions_.empty());
}

TEST_P(ProberTest, ARemovedTargetIsNeverHeardOfAgain) {
  Server server(io_, loopback(), hang(held_));
  ProbeConfig slow = config(ProbeType::kHttp);
  slow.timeout = milliseconds(50);
  prober().set_users({user("b", server.port(), slow)});
  ASSERT_TRUE(run_until([&] { return server.accepted() == 1; }));
  prober().set_users({});
  EXPECT_EQ(prober().counters().cancelled, 1u);
  run_for(milliseconds(100));
  EXPECT_TRUE(transitions_.empty());
  EXPECT_EQ(server.accepted(), 1u);
}

TEST_P(ProberTest, TheCallbackMayChangeTheUsers) {
  Server server(io_, loopback(), drop());
  on_transition_ = [&] { prober().set_users({}); };
  prober().set_users({user("a", server.port(), config()), user("b", server.port(), config())});
  ASSERT_TRUE(run_until([&] { return !transitions_.empty(); }));
  run_for(milliseconds(50));
  EXPECT_EQ(transitions_.size(), 1u);
  EXPECT_EQ(prober().counters().targets, 0u);
}

TEST_P(ProberTest, MayBeDestroyedWithAttemptsUnderWay) {
  Server server(io_, loopback(), hang(held_));
  prober().set_users({user("b", server.port(), config(ProbeType::kHttp))});
  ASSERT_TRUE(run_until([&] { return server.accepted() == 1; }));
  prober_.reset();
  run_for(milliseconds(50));
  EXPECT_TRUE(transitions_.empty());
}

TEST_P(ProberTest, ATargetIgnoresWhatItsTypeDoesNotUse) {
  ProbeConfig one = config();
  ProbeConfig two = config();
  two.path = "/other";
  two.status = {{200, 204}};
  EXPECT_EQ(ProbeTarget::make(loopback(), 80, one), ProbeTarget::make(loopback(), 80, two));
  two.port = 81;
  EXPECT_EQ(ProbeTarget::make(loopback(), 81, one), ProbeTarget::make(loopback(), 80, two));
  EXPECT_EQ(ProbeTarget::make(loopback(), 81, one).to_string(), "tcp " + in_url() + ":81");
  one.type = two.type = ProbeType::kHttp;
  EXPECT_NE(ProbeTarget::make(loopback(), 81, one), ProbeTarget::make(loopback(), 80, two));
  EXPECT_EQ(ProbeTarget::make(loopback(), 80, two).to_string(), "http " + in_url() + ":81/other");
}

INSTANTIATE_TEST_SUITE_P(Families, ProberTest, both_families(), family_of);

}  // namespace
}  // namespace maglb::test
