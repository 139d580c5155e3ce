// Each guard rail while its disaster happens: real probes, of servers that are really gone.
#include <boost/asio/ip/tcp.hpp>

#include "tests/unit/controlplane/desired/reconciler_fixture.h"

namespace maglb {
namespace {

using boost::asio::ip::tcp;
using std::chrono::milliseconds;

// Listens on 127.0.0.N while it is up.
class Server {
 public:
  Server(boost::asio::io_context& io, uint8_t number, uint16_t& port)
      : io_(io), address_(boost::asio::ip::address_v4({127, 0, 9, number})) {
    start(port);
    port = acceptor_->local_endpoint().port();
    port_ = port;
  }
  void start() { start(port_); }
  void kill() { acceptor_.reset(); }
  std::string address() const { return address_.to_string(); }

 private:
  void start(uint16_t port) {
    acceptor_.emplace(io_, tcp::endpoint(address_, port));
    accept();
  }
  void accept() {
    acceptor_->async_accept([this](boost::system::error_code error, tcp::socket) {
      if (!error) {
        accept();
      }
    });
  }

  boost::asio::io_context& io_;
  boost::asio::ip::address_v4 address_;
  uint16_t port_ = 0;
  std::optional<tcp::acceptor> acceptor_;
};

class GuardRailsTest : public ReconcilerTest {
 protected:
  PoolConfig make_pool(const std::string& name, int count) {
    PoolConfig pool;
    pool.name = name;
    pool.table_size = 251;
    pool.health.interval = milliseconds(20);
    pool.health.timeout = milliseconds(5000);
    pool.health.rise = 1;
    pool.health.fall = 2;
    for (int i = 0; i < count; ++i) {
      servers_.push_back(std::make_unique<Server>(io_, static_cast<uint8_t>(servers_.size() + 1), port_));
      BackendConfig backend;
      backend.name = std::string(1, static_cast<char>('a' + i));
      backend.address = *IpAddress::parse(servers_.back()->address());
      pool.backends.push_back(backend);
    }
    pool.health.port = port_;
    return pool;
  }

  void serve(std::vector<PoolConfig> pools, NetworkFailure failure = NetworkFailure::kAct) {
    ServiceConfig config;
    config.network_failure = failure;
    config.pools = std::move(pools);
    adopt(config);
    ASSERT_TRUE(run_until([&] {
      return std::all_of(config.pools.begin(), config.pools.end(), [&](const PoolConfig& pool) {
        return std::all_of(pool.backends.begin(), pool.backends.end(), [&](const BackendConfig& backend) {
          return status(pool.name, backend.name).health == ProbeOpinion::kHealthy;
        });
      });
    }));
  }
  void kill(size_t first, size_t last) {
    for (size_t i = first; i <= last; ++i) {
      servers_[i]->kill();
    }
  }
  bool warns(std::string_view part) const {
    for (const std::string& warning : reconciler_->warnings()) {
      if (warning.find(part) != std::string::npos) {
        return true;
      }
    }
    return false;
  }

  uint16_t port_ = 0;
  std::vector<std::unique_ptr<Server>> servers_;
};

TEST_F(GuardRailsTest, PanicKeepsAllInTheTableWhenTooFewAreLeft) {
  PoolConfig web = make_pool("web", 4);
  web.min_healthy = {50, true};
  serve({web});
  kill(0, 0);
  ASSERT_TRUE(run_until([&] { return slots("web", "a") == 0; }));
  EXPECT_FALSE(table("web").panic) << "three of four are enough";
  kill(1, 2);
  ASSERT_TRUE(run_until([&] { return table("web").panic; }));
  for (const char* backend : {"a", "b", "c", "d"}) {
    EXPECT_GT(slots("web", backend), 50u) << backend;
  }
  EXPECT_FALSE(table("web").stale);
  EXPECT_TRUE(warns("panic"));
  EXPECT_TRUE(status("web", "a").panic);
  EXPECT_EQ(status("web", "a").effective, BackendState::kUp);
  EXPECT_EQ(count_events(EventKind::kPanic, "panic: 1 of 4"), 1u);
  servers_[1]->start();
  ASSERT_TRUE(run_until([&] { return !table("web").panic; }));
  EXPECT_EQ(slots("web", "a"), 0u);
  EXPECT_EQ(count_events(EventKind::kPanic, "over"), 1u);
}

TEST_F(GuardRailsTest, TheFallbackServesWhileAllAreDeadAndDrainsAfterwards) {
  PoolConfig web = make_pool("web", 2);
  web.fallback = "sorry";
  serve({web, make_pool("sorry", 1)});
  EXPECT_EQ(slots("web", "sorry:a"), 0u);
  kill(0, 1);
  ASSERT_TRUE(run_until([&] { return table("web").on_fallback; }));
  EXPECT_EQ(slots("web", "sorry:a"), 251u);
  EXPECT_TRUE(warns("fallback"));
  EXPECT_EQ(count_events(EventKind::kFallback, "pool sorry serves"), 1u);
  servers_[0]->start();
  ASSERT_TRUE(run_until([&] { return !table("web").on_fallback; }));
  EXPECT_EQ(slots("web", "a"), 251u);
  for (const BackendSpec& backend : table("web").spec->backends) {
    if (backend.name == "sorry:a") {
      EXPECT_EQ(backend.state, BackendState::kDrain) << "its flows live on";
    }
  }
}

TEST_F(GuardRailsTest, AFallbackThatServesAloneAndDiesKeepsItsFlows) {
  PoolConfig web = make_pool("web", 2);
  web.fallback = "sorry";
  serve({web, make_pool("sorry", 1)});
  kill(0, 1);
  ASSERT_TRUE(run_until([&] { return slots("web", "sorry:a") == 251; }));
  kill(2, 2);
  ASSERT_TRUE(run_until([&] { return table("web").stale; }));
  EXPECT_EQ(slots("web", "sorry:a"), 251u);
  EXPECT_TRUE(table("web").on_fallback);
  servers_[2]->start();
  ASSERT_TRUE(run_until([&] { return !table("web").stale; }));
  EXPECT_EQ(slots("web", "sorry:a"), 251u);
}

TEST_F(GuardRailsTest, WhenAllProbesFailTogetherNobodyIsTakenOutAtOnce) {
  serve({make_pool("web", 3)}, NetworkFailure::kHold);
  kill(0, 2);
  ASSERT_TRUE(run_until([&] { return reconciler_->holding(); }));
  EXPECT_TRUE(warns("held"));
  ASSERT_TRUE(run_until([&] { return !reconciler_->holding(); })) << "they stay dead";
  ASSERT_TRUE(run_until([&] { return table("web").stale; }));
  EXPECT_EQ(count_events(EventKind::kHold, "failed together: 3"), 1u);
  EXPECT_EQ(count_events(EventKind::kHold, "go on failing"), 1u);
}

TEST_F(GuardRailsTest, ANetworkThatIsBackEndsTheHold) {
  PoolConfig web = make_pool("web", 3);
  web.health.fall = 1000;
  serve({web}, NetworkFailure::kHold);
  kill(0, 2);
  ASSERT_TRUE(run_until([&] { return reconciler_->holding(); }));
  servers_[1]->start();
  ASSERT_TRUE(run_until([&] { return !reconciler_->holding(); }));
  EXPECT_EQ(count_events(EventKind::kHold, "a probe succeeded"), 1u);
  EXPECT_FALSE(table("web").stale);
}

// As a tunnel's fault: here of a program that may not be run.
TEST_F(GuardRailsTest, AHoldDoesNotWaitForWhoCannotBeProbed) {
  PoolConfig web = make_pool("web", 3);
  web.health.fall = 1000000;
  serve({web}, NetworkFailure::kHold);
  kill(0, 2);
  ASSERT_TRUE(run_until([&] { return reconciler_->holding(); }));
  web.health = {};
  web.health.type = ProbeType::kExec;
  web.health.command = {"/bin/true"};
  ServiceConfig config;
  config.network_failure = NetworkFailure::kHold;
  config.pools = {web};
  adopt(config);
  ASSERT_TRUE(run_until([&] { return !reconciler_->holding(); }));
  EXPECT_EQ(status("web", "a").health, ProbeOpinion::kUnknown);
  EXPECT_GT(slots("web", "a"), 0u) << "a fault is no evidence";
}

TEST_F(GuardRailsTest, ThePoolsOfWhichAllFailHaveNoHoldWhenThatIsConfigured) {
  serve({make_pool("web", 3)}, NetworkFailure::kAct);
  kill(0, 2);
  ASSERT_TRUE(run_until([&] { return table("web").stale; }));
  EXPECT_EQ(count_events(EventKind::kHold, ""), 0u);
}

TEST_F(GuardRailsTest, ABackendThatIsBackGetsItsWeightOverTime) {
  PoolConfig web = make_pool("web", 2);
  web.slow_start = milliseconds(400);
  serve({web});
  EXPECT_EQ(status("web", "a").effective_weight, 100u) << "not at the first start";
  kill(0, 0);
  ASSERT_TRUE(run_until([&] { return slots("web", "a") == 0; }));
  servers_[0]->start();
  ASSERT_TRUE(run_until([&] { return slots("web", "a") > 0; }));
  EXPECT_EQ(count_events(EventKind::kRamp, "began"), 1u);
  uint32_t last = 0;
  ASSERT_TRUE(run_until([&] {
    const uint32_t weight = status("web", "a").effective_weight;
    EXPECT_GE(weight, last);
    last = weight;
    return weight == 100;
  }));
  EXPECT_EQ(count_events(EventKind::kRamp, "ended"), 1u);
  EXPECT_GT(slots("web", "a"), 120u);
}

TEST_F(GuardRailsTest, ADrainIsClosedWhenItsTimeIsUp) {
  PoolConfig web = make_pool("web", 2);
  web.drain_timeout = milliseconds(300);
  web.drain_end = DrainEnd::kClose;
  web.backends[0].state = AdminState::kDrain;
  serve({web});
  ASSERT_TRUE(run_until([&] { return status("web", "a").effective == BackendState::kDown; }));
  EXPECT_TRUE(status("web", "a").drain_passed);
  EXPECT_EQ(count_events(EventKind::kDrain, "its deadline has passed"), 1u);
}

}  // namespace
}  // namespace maglb
