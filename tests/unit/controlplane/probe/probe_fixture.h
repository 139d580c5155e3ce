// A prober and servers that misbehave on order, all on one event loop and the loopback.
#pragma once

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "controlplane/probe/prober.h"

namespace maglb::test {

using boost::asio::ip::tcp;
using std::chrono::milliseconds;

inline boost::asio::ip::address asio_address(const IpAddress& address) {
  return boost::asio::ip::make_address(address.to_string());
}

// Accepts, and gives each connection to `serve`, which keeps it open by holding the pointer.
class Server {
 public:
  struct Connection {
    explicit Connection(tcp::socket s) : socket(std::move(s)) {}
    tcp::socket socket;
    std::string request;
  };
  using Serve = std::function<void(std::shared_ptr<Connection>)>;

  Server(boost::asio::io_context& io, const IpAddress& address, Serve serve)
      : acceptor_(io, tcp::endpoint(asio_address(address), 0)), serve_(std::move(serve)) {
    accept();
  }
  // Nobody listens there any more.
  void close() { acceptor_.close(); }

  uint16_t port() const { return port_; }
  uint64_t accepted() const { return accepted_; }

 private:
  void accept() {
    acceptor_.async_accept([this](boost::system::error_code error, tcp::socket socket) {
      if (error) {
        return;
      }
      ++accepted_;
      serve_(std::make_shared<Connection>(std::move(socket)));
      accept();
    });
  }

  tcp::acceptor acceptor_;
  const uint16_t port_ = acceptor_.local_endpoint().port();
  Serve serve_;
  uint64_t accepted_ = 0;
};

// Reads a request's head, then sends `response` and closes. `seen` gets the request.
inline Server::Serve answer(std::string response, std::string* seen = nullptr) {
  return [text = std::make_shared<std::string>(std::move(response)),
          seen](std::shared_ptr<Server::Connection> connection) {
    Server::Connection& c = *connection;
    boost::asio::async_read_until(c.socket, boost::asio::dynamic_buffer(c.request), "\r\n\r\n",
                                  [connection, text, seen](boost::system::error_code error, size_t) {
                                    if (error) {
                                      return;
                                    }
                                    if (seen != nullptr) {
                                      *seen = connection->request;
                                    }
                                    boost::asio::async_write(
                                        connection->socket, boost::asio::buffer(*text),
                                        [connection, text](boost::system::error_code, size_t) {});
                                  });
  };
}

// Keeps every connection open and says nothing.
inline Server::Serve hang(std::vector<std::shared_ptr<Server::Connection>>& held) {
  return [&held](std::shared_ptr<Server::Connection> connection) { held.push_back(std::move(connection)); };
}

// Run with each family's loopback address.
class ProbeTest : public testing::TestWithParam<const char*> {
 protected:
  static IpAddress loopback() { return *IpAddress::parse(GetParam()); }
  static std::string in_url() { return loopback().is_v4() ? "127.0.0.1" : "[::1]"; }

  struct Transition {
    std::string pool;
    std::string backend;
    ProbeStatus status;
  };

  void TearDown() override {
    const ProbeCounters c = prober().counters();
    EXPECT_EQ(c.attempts, c.successes + c.failures + c.skipped + c.cancelled + c.in_flight);
  }

  Prober& prober() {
    if (!prober_) {
      start_prober({});
    }
    return *prober_;
  }
  void start_prober(const ProberOptions& options) {
    prober_ = std::make_unique<Prober>(
        io_,
        [this](const std::string& pool, const std::string& backend, const ProbeStatus& status) {
          transitions_.push_back({pool, backend, status});
          if (on_transition_) {
            on_transition_();
          }
        },
        options);
  }

  static ProbeConfig config(ProbeType type = ProbeType::kTcp) {
    ProbeConfig config;
    config.type = type;
    config.interval = milliseconds(20);
    config.timeout = milliseconds(5000);
    config.rise = 2;
    config.fall = 3;
    return config;
  }
  static ProbeUser user(const std::string& backend, uint16_t port, const ProbeConfig& config,
                        std::optional<KnownHealth> known = std::nullopt) {
    return {"web", backend, ProbeTarget::make(loopback(), port, config), std::move(known)};
  }

  ProbeStatus status(const std::string& backend) { return prober().status("web", backend).value(); }
  Health health(const std::string& backend) { return status(backend).health; }

  // Runs the loop until it holds; a generous deadline, for busy machines.
  bool run_until(const std::function<bool()>& holds) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!holds()) {
      if (std::chrono::steady_clock::now() > deadline) {
        return false;
      }
      io_.restart();
      io_.run_one_for(milliseconds(10));
    }
    return true;
  }
  void run_for(milliseconds time) {
    io_.restart();
    io_.run_for(time);
  }

  // The status after one attempt of a target that nobody knows.
  ProbeStatus first_outcome(uint16_t port, const ProbeConfig& config) {
    prober().set_users({user("b", port, config)});
    EXPECT_TRUE(run_until([&] { return health("b") != Health::kUnknown; }));
    return status("b");
  }

  boost::asio::io_context io_;
  std::vector<Transition> transitions_;
  std::function<void()> on_transition_;
  std::unique_ptr<Prober> prober_;
};

inline auto both_families() {
  return testing::Values("127.0.0.1", "::1");
}
inline std::string family_of(const testing::TestParamInfo<const char*>& info) {
  return std::string(info.param) == "::1" ? "IPv6" : "IPv4";
}

}  // namespace maglb::test
