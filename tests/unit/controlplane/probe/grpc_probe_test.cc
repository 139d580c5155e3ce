// grpc against grpcio's server, and against servers that are none.
#include <random>

#include "tests/unit/controlplane/probe/attempt_fixture.h"

namespace maglb::test {
namespace {

class GrpcServer {
 public:
  explicit GrpcServer(const std::string& address, std::vector<std::string> pair = {})
      : program_(command(address, std::move(pair)), dir_.path() / "log") {
    const std::string line = program_.read_line();
    check(!line.empty(), read_file(dir_.path() / "log").c_str());
    port_ = static_cast<uint16_t>(std::stoi(line));
  }
  uint16_t port() const { return port_; }
  void stop() const { program_.stop(); }

 private:
  static std::vector<std::string> command(const std::string& address, std::vector<std::string> pair) {
    pair.insert(pair.begin(), {"/usr/bin/python3", "-B", GRPC_HEALTH_SERVER, address});
    return pair;
  }

  TempDir dir_;
  Program program_;
  uint16_t port_ = 0;
};

class GrpcProbe : public AttemptTest {
 protected:
  static ProbeConfig grpc(const std::string& service = "") {
    ProbeConfig config;
    config.type = ProbeType::kGrpc;
    config.grpc_service = service;
    return config;
  }
};

TEST_F(GrpcProbe, AsksARealServer) {
  const GrpcServer server("127.0.0.1");
  const auto asked = [&](const char* service) { return target(grpc(service), server.port()); };
  EXPECT_EQ(good(asked("")), "grpc: SERVING");
  EXPECT_EQ(good(asked("extended")), "grpc: SERVING");
  EXPECT_EQ(bad(asked("sick")), "grpc: NOT_SERVING");
  EXPECT_EQ(bad(asked("unknown")), "grpc: UNKNOWN");
  EXPECT_EQ(bad(asked("nothing")), "grpc: UNKNOWN");
  EXPECT_EQ(bad(asked("unheard-of")), "grpc: status 7");
  EXPECT_EQ(bad(asked("missing")), "grpc: NOT_FOUND: no such service?");
  EXPECT_EQ(bad(asked("broken")), "grpc: UNKNOWN: Exception calling application: broken");
  EXPECT_EQ(bad(asked("garbage")), "grpc: a field of the reply has no number");
  EXPECT_EQ(bad(asked("text")), "grpc: the reply's status is no number");
  EXPECT_EQ(bad(asked("huge")), "grpc: the reply is longer than 65536 bytes");
  EXPECT_EQ(stage_of_hang(asked("slow"), "waiting for the response"), "waiting for the response");
  server.stop();
  EXPECT_EQ(stage_of_hang(asked(""), "waiting for the response"), "waiting for the response");
}

TEST_F(GrpcProbe, AsksInsideTls) {
  const Certificates certificates;
  const GrpcServer server("[::1]", {certificates.certificate("good"), certificates.key("good")});
  ProbeConfig config = grpc();
  config.tls.enabled = true;
  config.tls.ca_file = certificates.root();
  EXPECT_EQ(good(target(config, server.port(), "::1")), "grpc: SERVING");
  config.host = "www.example";
  EXPECT_EQ(good(target(config, server.port(), "::1")), "grpc: SERVING");
  config.tls.pin = certificates.pin("good");
  EXPECT_EQ(good(target(config, server.port(), "::1")), "grpc: SERVING");
  config.tls.pin = certificates.pin("other");
  EXPECT_EQ(bad(target(config, server.port(), "::1")), "public key does not match the pin");
  config.tls.pin.clear();
  config.tls.server_name = "else.example";
  EXPECT_EQ(bad(target(config, server.port(), "::1")), "certificate is for other names");
  config.tls.ca_file = certificates.root("other");
  EXPECT_EQ(bad(target(config, server.port(), "::1")),
            "certificate is not trusted: unable to get local issuer certificate");
  const GrpcServer expired("127.0.0.1", {certificates.certificate("expired"), certificates.key("expired")});
  config.tls.ca_file = certificates.root();
  config.tls.server_name.clear();
  EXPECT_EQ(bad(target(config, expired.port())), "certificate has expired");
}

TEST_F(GrpcProbe, FindsWhatIsNoGrpcServer) {
  const TempDir dir;
  write_file(dir.path() / "index.html", "hello");
  const uint16_t port = free_port();
  const Program nghttpd(
      {"/usr/sbin/nghttpd", "--no-tls", "-a", "127.0.0.1", "-d", dir.path(), std::to_string(port)},
      dir.path() / "log");
  wait_for(port);
  EXPECT_EQ(bad(target(grpc(), port)), "http status 404, not gRPC");
  std::filesystem::create_directories(dir.path() / "grpc.health.v1.Health");
  write_file(dir.path() / "grpc.health.v1.Health" / "Check", "hello");
  EXPECT_NE(bad(target(grpc(), port)).find("not gRPC"), std::string::npos);
  EXPECT_EQ(bad(target(grpc(), free_port())), "connect: connection refused");
  Server resets(io_, loopback(), reset_when_asked());
  EXPECT_EQ(bad(target(grpc(), resets.port())), "receive: connection reset by peer");
  Server silent(io_, loopback(), hang(held_));
  EXPECT_EQ(stage_of_hang(target(grpc(), silent.port()), "waiting for the response"),
            "waiting for the response");
}

TEST_F(GrpcProbe, SurvivesGarbage) {
  using namespace std::string_literals;
  const uint32_t seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 60; ++round) {
    // SETTINGS, as every server begins, then frames of our stream with anything in them.
    std::string octets = round % 2 == 0 ? ""s : "\0\0\0\4\0\0\0\0\0"s;
    for (int frame = 0; frame < 3; ++frame) {
      std::string load(random() % 200, '\0');
      for (char& c : load) {
        c = static_cast<char>(random());
      }
      octets += "\0\0"s + static_cast<char>(load.size()) + static_cast<char>(random() % 10) +
                static_cast<char>(random()) + "\0\0\0\1"s + load;
    }
    Server server(io_, loopback(), [&](std::shared_ptr<Server::Connection> connection) {
      boost::asio::write(connection->socket, boost::asio::buffer(octets));
    });
    expect_printable(bad(target(grpc(), server.port())));
  }
}

}  // namespace
}  // namespace maglb::test
