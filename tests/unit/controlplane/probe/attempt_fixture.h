// Attempts of any type, one by one, on one event loop; the proxies that the environment names are no use.
#pragma once

#include <optional>

#include "controlplane/probe/attempt_factory.h"
#include "tests/unit/controlplane/probe/probe_fixture.h"
#include "tests/unit/controlplane/probe/real_servers.h"

namespace maglb::test {

class AttemptTest : public testing::Test {
 protected:
  AttemptTest() {
    for (const char* name : {"http_proxy", "https_proxy", "all_proxy"}) {
      setenv(name, "http://127.0.0.1:1", 1);
    }
  }

  static ProbeTarget target(const ProbeConfig& config, uint16_t port,
                            const std::string& address = "127.0.0.1") {
    return ProbeTarget::make(*IpAddress::parse(address), port, config);
  }

  bool run_until(const std::function<bool()>& holds, std::chrono::seconds limit = std::chrono::seconds(20)) {
    const auto deadline = std::chrono::steady_clock::now() + limit;
    while (!holds() && std::chrono::steady_clock::now() < deadline) {
      io_.restart();
      io_.run_one_for(milliseconds(10));
    }
    return holds();
  }

  AttemptResult run(const ProbeTarget& what) {
    std::optional<AttemptResult> result;
    const std::shared_ptr<Attempt> attempt = factory_.make(what.config.type);
    attempt->start(what, [&](AttemptResult r) {
      EXPECT_FALSE(result) << "told twice";
      result = std::move(r);
    });
    EXPECT_FALSE(result) << "told from inside start()";
    EXPECT_TRUE(run_until([&] { return result.has_value(); })) << attempt->stage();
    return result.value_or(AttemptResult{});
  }

  std::string good(const ProbeTarget& what) { return expect(what, Outcome::kSuccess); }
  std::string bad(const ProbeTarget& what) { return expect(what, Outcome::kFailure); }

  static void expect_printable(const std::string& reason) {
    EXPECT_FALSE(reason.empty());
    EXPECT_LT(reason.size(), 250u);
    for (const char c : reason) {
      EXPECT_TRUE(c >= 0x20 && c < 0x7f) << reason;
    }
  }

  // Where it hangs: the stage in which it is when nothing has come for long, after a cancel that is silent.
  std::string stage_of_hang(const ProbeTarget& what, const std::string& expected) {
    bool told = false;
    const std::shared_ptr<Attempt> attempt = factory_.make(what.config.type);
    attempt->start(what, [&](const AttemptResult& r) {
      told = true;
      ADD_FAILURE() << r.reason;
    });
    run_until([&] { return told || attempt->stage() == expected; });
    io_.restart();
    io_.run_for(milliseconds(30));
    std::string stage(attempt->stage());
    attempt->cancel();
    io_.restart();
    io_.run_for(milliseconds(30));
    return stage;
  }

  // Lets a server come up: until something accepts.
  void wait_for(uint16_t port) {
    EXPECT_TRUE(run_until([&] {
      tcp::socket socket(io_);
      boost::system::error_code error;
      socket.open(tcp::v4());
      socket.set_option(boost::asio::socket_base::linger(true, 0));
      socket.connect({boost::asio::ip::address_v4::loopback(), port}, error);
      boost::system::error_code ignored;
      socket.close(ignored);  // with a reset; the destructor would say goodbye
      return !error;
    }));
  }
  uint16_t free_port() {
    return tcp::acceptor(io_, {boost::asio::ip::address_v4::loopback(), 0}).local_endpoint().port();
  }

  // Sends `octets` to whoever comes, whatever is said, and then holds the connection.
  Server::Serve say(std::string octets) {
    return [this, text = std::make_shared<std::string>(std::move(octets))](
               std::shared_ptr<Server::Connection> connection) {
      held_.push_back(connection);
      boost::asio::async_write(connection->socket, boost::asio::buffer(*text),
                               [connection, text](boost::system::error_code, size_t) {});
    };
  }
  // Resets the connection once the peer has said something.
  static Server::Serve reset_when_asked() {
    return [](const std::shared_ptr<Server::Connection>& connection) {
      connection->request.resize(1);
      connection->socket.set_option(boost::asio::socket_base::linger(true, 0));
      boost::asio::async_read(connection->socket, boost::asio::buffer(connection->request),
                              [connection](boost::system::error_code, size_t) {});
    };
  }
  static IpAddress loopback() { return *IpAddress::parse("127.0.0.1"); }

  boost::asio::io_context io_;
  AttemptFactory factory_{io_};
  std::vector<std::shared_ptr<Server::Connection>> held_;

 private:
  std::string expect(const ProbeTarget& what, Outcome outcome) {
    const AttemptResult result = run(what);
    EXPECT_EQ(result.outcome, outcome) << result.reason;
    return result.reason;
  }
};

}  // namespace maglb::test
