// What a single attempt makes of a server's answer, or of the lack of one.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/steady_timer.hpp>
#include <thread>

#include "controlplane/probe/http_attempt.h"
#include "tests/unit/controlplane/probe/probe_fixture.h"

namespace maglb::test {
namespace {

constexpr ProbeType kHttp = ProbeType::kHttp;

class HttpProbe : public ProbeTest {};
class TcpProbe : public ProbeTest {};

// A socket that is bound and does not listen: its port refuses, and nobody else can take it.
class ClosedPort {
 public:
  explicit ClosedPort(const IpAddress& address, int backlog = -1) {
    tcp::endpoint endpoint(asio_address(address), 0);
    fd_ = socket(endpoint.protocol().family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
    socklen_t size = static_cast<socklen_t>(endpoint.size());
    EXPECT_EQ(bind(fd_, endpoint.data(), size), 0);
    EXPECT_EQ(getsockname(fd_, endpoint.data(), &size), 0);
    port_ = endpoint.port();
    if (backlog >= 0) {
      EXPECT_EQ(listen(fd_, backlog), 0);
    }
  }
  ~ClosedPort() { close(fd_); }
  uint16_t port() const { return port_; }

 private:
  int fd_ = -1;
  uint16_t port_ = 0;
};

TEST_P(TcpProbe, AListeningPortIsHealthy) {
  std::vector<std::shared_ptr<Server::Connection>> held;
  Server server(io_, loopback(), hang(held));
  const ProbeStatus status = first_outcome(server.port(), config());
  EXPECT_EQ(status.health, Health::kHealthy);
  EXPECT_EQ(status.reason, "connected");
  EXPECT_GT(status.latency.count(), 0);
}

TEST_P(TcpProbe, AClosedPortIsRefused) {
  const ClosedPort closed(loopback());
  const ProbeStatus status = first_outcome(closed.port(), config());
  EXPECT_EQ(status.health, Health::kUnhealthy);
  EXPECT_EQ(status.reason, "connect: connection refused");
}

TEST_P(TcpProbe, ClosesWithAReset) {
  boost::system::error_code end;
  Server server(io_, loopback(), [&](std::shared_ptr<Server::Connection> c) {
    auto handler = [c, &end](boost::system::error_code error, size_t) { end = error; };
    boost::asio::async_read(c->socket, boost::asio::dynamic_buffer(c->request), handler);
  });
  first_outcome(server.port(), config());
  EXPECT_TRUE(run_until([&] { return bool(end); }));
  EXPECT_EQ(end, boost::asio::error::connection_reset);
}

TEST_P(TcpProbe, AServerThatAcceptsNothingTimesOut) {
  // A backlog of none holds one connection; the SYN of the next is dropped.
  ClosedPort full(loopback(), 0);
  std::vector<tcp::socket> fillers;
  for (int i = 0; i < 3; ++i) {
    fillers.emplace_back(io_);
    fillers.back().async_connect({asio_address(loopback()), full.port()}, [](auto) {});
  }
  run_for(milliseconds(50));
  ProbeConfig quick = config();
  quick.timeout = milliseconds(100);
  const ProbeStatus status = first_outcome(full.port(), quick);
  EXPECT_EQ(status.health, Health::kUnhealthy);
  EXPECT_EQ(status.reason, "timeout after 100 ms (connecting)");
}

TEST_P(HttpProbe, AsksForThePathAndTakesTheExpectedStatus) {
  std::string request;
  Server server(io_, loopback(), answer("HTTP/1.1 204 No Content\r\n\r\n", &request));
  ProbeConfig http = config(kHttp);
  http.path = "/healthz?deep=1";
  http.host = "www.example.com";
  const ProbeStatus status = first_outcome(server.port(), http);
  EXPECT_EQ(status.health, Health::kHealthy);
  EXPECT_EQ(status.reason, "http status 204");
  EXPECT_EQ(request,
            "GET /healthz?deep=1 HTTP/1.1\r\nHost: www.example.com\r\nUser-Agent: maglb-probe/" MAGLB_VERSION
            "\r\nAccept: */*\r\nConnection: close\r\n\r\n");
}

TEST_P(HttpProbe, NamesTheAddressWhereNoHostIsGiven) {
  const auto host = [](const IpAddress& address, uint16_t port) {
    const std::string text = http_request(ProbeTarget::make(address, port, config(kHttp)));
    const size_t from = text.find("Host: ");
    return text.substr(from, text.find("\r\n", from) - from);
  };
  EXPECT_EQ(host(loopback(), 80), "Host: " + in_url());
  EXPECT_EQ(host(loopback(), 8080), "Host: " + in_url() + ":8080");
  EXPECT_EQ(host(IpAddress::parse("2001:db8::1").value(), 8080), "Host: [2001:db8::1]:8080");
}

struct Answer {
  const char* name;
  std::string response;
  Health health;
  std::string reason;
};

TEST_P(HttpProbe, JudgesEachAnswer) {
  const std::string long_head = "HTTP/1.1 200 OK\r\nX: " + std::string(70000, 'x') + "\r\n\r\n";
  const std::vector<Answer> answers = {
      {"ok", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", Health::kHealthy, "http status 200"},
      {"http 1.0", "HTTP/1.0 200 OK\r\n\r\n", Health::kHealthy, "http status 200"},
      {"unfinished body", "HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\nok", Health::kHealthy,
       "http status 200"},
      {"bounds are inside", "HTTP/1.1 399 Odd\r\n\r\n", Health::kHealthy, "http status 399"},
      {"interim", "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", Health::kHealthy,
       "http status 200"},
      {"unavailable", "HTTP/1.1 503 Service Unavailable\r\n\r\n", Health::kUnhealthy,
       "http status 503, expected 200..399"},
      {"just outside", "HTTP/1.1 400 Bad Request\r\n\r\n", Health::kUnhealthy,
       "http status 400, expected 200..399"},
      {"another protocol", "SSH-2.0-OpenSSH_9.2\r\n\r\n", Health::kUnhealthy,
       "receive: not HTTP: bad version"},
      {"nothing", "", Health::kUnhealthy, "receive: connection closed before the end of a response's head"},
      {"half a head", "HTTP/1.1 200 OK\r\nServer: x", Health::kUnhealthy,
       "receive: connection closed before the end of a response's head"},
      {"too long", long_head, Health::kUnhealthy, "receive: the response's head is longer than 65536 bytes"},
  };
  for (const Answer& each : answers) {
    SCOPED_TRACE(each.name);
    Server server(io_, loopback(), answer(each.response));
    const ProbeStatus status = first_outcome(server.port(), config(kHttp));
    EXPECT_EQ(status.health, each.health);
    EXPECT_EQ(status.reason, each.reason);
    prober().set_users({});
  }
}

TEST_P(HttpProbe, AResetConnectionIsAFailure) {
  Server server(io_, loopback(), [](std::shared_ptr<Server::Connection> c) {
    c->socket.set_option(boost::asio::socket_base::linger(true, 0));
    c->socket.close();
  });
  const ProbeStatus status = first_outcome(server.port(), config(kHttp));
  EXPECT_EQ(status.health, Health::kUnhealthy);
  EXPECT_NE(status.reason.find("connection reset by peer"), std::string::npos) << status.reason;
}

TEST_P(HttpProbe, AServerThatSaysNothingTimesOut) {
  std::vector<std::shared_ptr<Server::Connection>> held;
  Server server(io_, loopback(), hang(held));
  ProbeConfig quick = config(kHttp);
  quick.timeout = milliseconds(80);
  EXPECT_EQ(first_outcome(server.port(), quick).reason, "timeout after 80 ms (waiting for the response)");
}

// A byte now and then does not put the timeout off.
TEST_P(HttpProbe, ASlowServerTimesOut) {
  std::vector<std::shared_ptr<Server::Connection>> held;
  Server server(io_, loopback(), hang(held));
  boost::asio::steady_timer drip(io_);
  std::function<void()> send_one = [&] {
    drip.expires_after(milliseconds(10));
    drip.async_wait([&](boost::system::error_code error) {
      for (auto& connection : held) {
        boost::system::error_code ignored;
        connection->socket.write_some(boost::asio::buffer("H", 1), ignored);
      }
      error ? void() : send_one();
    });
  };
  Server slow(io_, loopback(), [&](std::shared_ptr<Server::Connection> c) {
    boost::asio::write(c->socket, boost::asio::buffer(std::string("HTTP/1.1 200 OK\r\nX: ")));
    held.push_back(std::move(c));
  });
  send_one();
  ProbeConfig quick = config(kHttp);
  quick.timeout = milliseconds(150);
  EXPECT_EQ(first_outcome(slow.port(), quick).reason, "timeout after 150 ms (waiting for the response)");
}

// The loop stands still for longer than the timeout while the server's answer is on its way.
TEST_P(HttpProbe, OurOwnDelayIsNoTimeoutOfTheServer) {
  const Server::Serve ok = answer("HTTP/1.1 200 OK\r\n\r\n");
  bool first = true;
  Server server(io_, loopback(), [&](std::shared_ptr<Server::Connection> c) {
    if (std::exchange(first, false)) {
      std::this_thread::sleep_for(milliseconds(1000));
    }
    ok(std::move(c));
  });
  ProbeConfig quick = config(kHttp);
  quick.timeout = milliseconds(400);
  EXPECT_EQ(first_outcome(server.port(), quick).health, Health::kHealthy);
}

INSTANTIATE_TEST_SUITE_P(Families, HttpProbe, both_families(), family_of);
INSTANTIATE_TEST_SUITE_P(Families, TcpProbe, both_families(), family_of);

}  // namespace
}  // namespace maglb::test
