// udp and icmp against real sockets: answers, wrong answers, nobody there, silence.
#include <boost/asio/ip/udp.hpp>

#include "tests/unit/controlplane/probe/probe_fixture.h"

namespace maglb::test {
namespace {

using boost::asio::ip::udp;

// Answers every datagram with `answer`, or with nothing.
class UdpServer {
 public:
  UdpServer(boost::asio::io_context& io, const IpAddress& address, std::optional<std::string> answer)
      : socket_(io, udp::endpoint(asio_address(address), 0)), answer_(std::move(answer)) {
    serve();
  }
  uint16_t port() const { return socket_.local_endpoint().port(); }
  const std::string& seen() const { return seen_; }
  void close() { socket_.close(); }

 private:
  void serve() {
    socket_.async_receive_from(boost::asio::buffer(bytes_), from_,
                               [this](boost::system::error_code error, size_t size) {
                                 if (error == boost::asio::error::operation_aborted) {
                                   return;
                                 }
                                 seen_.assign(bytes_.data(), size);
                                 if (answer_) {
                                   socket_.send_to(boost::asio::buffer(*answer_), from_);
                                 }
                                 serve();
                               });
  }

  udp::socket socket_;
  udp::endpoint from_;
  std::array<char, 2048> bytes_ = {};
  std::optional<std::string> answer_;
  std::string seen_;
};

class UdpProbe : public ProbeTest {
 protected:
  static ProbeConfig udp_config(const std::string& send, const std::string& expect) {
    ProbeConfig c = config(ProbeType::kUdp);
    c.send = send;
    c.expect = expect;
    return c;
  }
};

TEST_P(UdpProbe, TakesTheAnswerThatBeginsAsExpected) {
  UdpServer server(io_, loopback(), std::string("\0pong and more", 14));
  const ProbeStatus status = first_outcome(server.port(), udp_config("ping", std::string("\0pong", 5)));
  EXPECT_EQ(status.health, Health::kHealthy);
  EXPECT_EQ(status.reason, "answered");
  EXPECT_EQ(server.seen(), "ping");
}

TEST_P(UdpProbe, TakesAnyAnswerWhereNoneIsExpectedEvenAnEmptyOne) {
  UdpServer server(io_, loopback(), std::string());
  EXPECT_EQ(first_outcome(server.port(), udp_config("", "")).health, Health::kHealthy);
}

TEST_P(UdpProbe, AnotherAnswerIsAFailureAtOnce) {
  for (const char* answer : {"", "pon", "no"}) {
    UdpServer server(io_, loopback(), std::string(answer));
    const ProbeStatus status = first_outcome(server.port(), udp_config("ping", "pong"));
    EXPECT_EQ(status.health, Health::kUnhealthy);
    EXPECT_EQ(status.reason, "the answer does not begin with what is expected");
    prober().set_users({});
  }
}

TEST_P(UdpProbe, AnUnreachablePortIsAFailureAtOnce) {
  UdpServer server(io_, loopback(), "pong");
  const uint16_t port = server.port();
  server.close();
  EXPECT_EQ(first_outcome(port, udp_config("ping", "")).reason, "receive: connection refused");
}

TEST_P(UdpProbe, SilenceTimesOut) {
  UdpServer server(io_, loopback(), std::nullopt);
  ProbeConfig quick = udp_config("ping", "");
  quick.timeout = milliseconds(60);
  EXPECT_EQ(first_outcome(server.port(), quick).reason, "timeout after 60 ms (waiting for an answer)");
}

class IcmpProbe : public ProbeTest {
 protected:
  static ProbeUser ping(const IpAddress& address, ProbeConfig c = config(ProbeType::kIcmp)) {
    return {"web", "b", ProbeTarget::make(address, 0, c), {}};
  }
};

TEST_P(IcmpProbe, TheKernelReplies) {
  prober().set_users({ping(loopback())});
  ASSERT_TRUE(run_until([&] { return prober().counters().attempts >= 5; }));
  if (prober().counters().skipped > 0) {
    GTEST_SKIP() << "neither ping sockets nor raw sockets are allowed here";
  }
  EXPECT_EQ(health("b"), Health::kHealthy);
  EXPECT_EQ(status("b").reason, "replied");
  EXPECT_EQ(prober().counters().failures, 0u);
}

// Many at once: each has to find its own reply among those of the others.
TEST_P(IcmpProbe, ManyProbesOfOneAddressDoNotDisturbEachOther) {
  std::vector<ProbeUser> users;
  for (int i = 0; i < 50; ++i) {
    ProbeConfig c = config(ProbeType::kIcmp);
    c.fall = static_cast<uint32_t>(1 + i);  // makes the targets different
    users.push_back(ping(loopback(), c));
    users.back().backend = "b" + std::to_string(i);
  }
  prober().set_users(users);
  ASSERT_TRUE(run_until([&] { return prober().counters().attempts >= 500; }));
  if (prober().counters().skipped > 0) {
    GTEST_SKIP() << "neither ping sockets nor raw sockets are allowed here";
  }
  EXPECT_EQ(prober().counters().failures, 0u);
  EXPECT_EQ(prober().counters(ProbeType::kIcmp).attempts, prober().counters().attempts);
}

INSTANTIATE_TEST_SUITE_P(Families, UdpProbe, both_families(), family_of);
INSTANTIATE_TEST_SUITE_P(Families, IcmpProbe, both_families(), family_of);

}  // namespace
}  // namespace maglb::test
