// https and http2 against nginx and nghttpd, and against servers that misbehave.
#include <sys/resource.h>

#include <random>

#include "tests/unit/controlplane/probe/attempt_fixture.h"
#include "tests/unit/controlplane/probe/tls_server.h"

namespace maglb::test {
namespace {

// Made once: they are only read.
const Certificates& certificates() {
  static const Certificates made;
  return made;
}

// A server for each certificate, "good" with HTTP/2, and one without TLS.
class Nginx {
 public:
  struct Ports {
    uint16_t good, http1, expired, misnamed, untrusted, clear, hung;
  };

  explicit Nginx(const Ports& ports) {
    const Certificates& c = certificates();
    const auto server = [&](uint16_t port, const char* how, const char* name) {
      return fmt::format(R"(
        server {{
          listen 127.0.0.1:{0} {1}; listen [::1]:{0} {1}; server_name www.example;
          ssl_certificate {2}; ssl_certificate_key {3};
          location / {{ return 404; }}
          location /healthz {{ return 200 "it is up and well"; }}
          location /who {{ return 200 "$host|$ssl_server_name|$server_protocol|$request_method|$request_uri"; }}
          location /broken {{ return 503; }}
          location /moved {{ return 301 /broken; }}
          location /close {{ return 444; }}
          location /hung {{ proxy_pass http://127.0.0.1:{4}; }}
          location /large {{ alias {5}/; }}
          location /slow {{ alias {5}/; limit_rate 1000; }}
        }})",
                         port, how, c.certificate(name), c.key(name), ports.hung, dir_.path().string());
    };
    write_file(dir_.path() / "file", std::string(65536, 'x') + "at the end");
    write_file(
        dir_.path() / "nginx.conf",
        fmt::format(R"(
      daemon off; master_process off; pid {0}/pid; error_log {0}/error.log;
      events {{ worker_connections 256; }}
      http {{
        access_log off; client_body_temp_path {0}/body; proxy_temp_path {0}/proxy;
        fastcgi_temp_path {0}/fastcgi; uwsgi_temp_path {0}/uwsgi; scgi_temp_path {0}/scgi;
        {1}
      }})",
                    dir_.path().string(),
                    server(ports.good, "ssl http2", "good") + server(ports.http1, "ssl", "good") +
                        server(ports.expired, "ssl", "expired") + server(ports.misnamed, "ssl", "misnamed") +
                        server(ports.untrusted, "ssl", "untrusted") + server(ports.clear, "http2", "good")));
    program_.emplace(std::vector<std::string>{"/usr/sbin/nginx", "-e", dir_.path() / "error.log", "-p",
                                              dir_.path(), "-c", dir_.path() / "nginx.conf"},
                     dir_.path() / "error.log");
  }
  void stop() const { program_->stop(); }

 private:
  TempDir dir_;
  std::optional<Program> program_;
};

class HttpsProbe : public AttemptTest {
 protected:
  HttpsProbe() { wait_for(ports_.clear); }

  ProbeConfig https(const std::string& path = "/healthz") const {
    ProbeConfig config;
    config.type = ProbeType::kHttps;
    config.path = path;
    config.host = "www.example";
    config.status = {{200, 299}};
    config.tls.ca_file = certificates().root();
    return config;
  }
  ProbeConfig https2(const std::string& path = "/healthz") const {
    ProbeConfig config = https(path);
    config.http_version = 2;
    return config;
  }
  ProbeConfig http2(const std::string& path = "/healthz") const {
    ProbeConfig config = https(path);
    config.type = ProbeType::kHttp2;
    return config;
  }
  static ProbeConfig with_body(ProbeConfig config, const std::string& text) {
    config.body = text;
    return config;
  }

  Server hung_{io_, loopback(), hang(held_)};
  const Nginx::Ports ports_ = {free_port(), free_port(), free_port(), free_port(),
                               free_port(), free_port(), hung_.port()};
  Nginx nginx_{ports_};
};

TEST_F(HttpsProbe, IsGoodWhenTheServerIs) {
  EXPECT_EQ(good(target(https(), ports_.good)), "http status 200");
  EXPECT_EQ(good(target(https(), ports_.http1, "::1")), "http status 200");
  EXPECT_EQ(good(target(https2(), ports_.good)), "http status 200");
  EXPECT_EQ(good(target(https2(), ports_.good, "::1")), "http status 200");
  EXPECT_EQ(good(target(http2(), ports_.clear)), "http status 200");
  EXPECT_EQ(good(target(http2(), ports_.clear, "::1")), "http status 200");
}

TEST_F(HttpsProbe, SaysTheConfiguredNamesAndNoOthers) {
  ProbeConfig named = https("/who?a=b");
  EXPECT_EQ(good(target(with_body(named, "www.example|www.example|HTTP/1.1|GET|/who?a=b"), ports_.good)),
            "http status 200");
  named.host = "web.example:444";
  named.tls.server_name = "www.example";
  good(target(with_body(named, "web.example|www.example|HTTP/1.1"), ports_.good));
  named.http_version = 2;
  good(target(with_body(named, "web.example|www.example|HTTP/2.0"), ports_.good));
  good(target(with_body(http2("/who"), "www.example||HTTP/2.0|GET"), ports_.clear));
  // The certificate is for the address, too; an address is no SNI.
  named.host.clear();
  named.tls.server_name.clear();
  good(target(with_body(named, "127.0.0.1||HTTP/2.0"), ports_.good));
  good(target(named, ports_.good, "::1"));
}

TEST_F(HttpsProbe, ConnectsWhereItIsToldAndSaysTheBackendsName) {
  ProbeConfig config = https("/who");
  config.host.clear();
  ProbeTarget tunnelled = target(with_body(config, "127.0.0.1|"), ports_.good);
  tunnelled.connect_to = *IpAddress::parse("::1");
  good(tunnelled);
}

TEST_F(HttpsProbe, JudgesTheStatus) {
  EXPECT_EQ(bad(target(https("/broken"), ports_.good)), "http status 503, expected 200..299");
  EXPECT_EQ(bad(target(https2("/broken"), ports_.good)), "http status 503, expected 200..299");
  EXPECT_EQ(bad(target(http2("/broken"), ports_.clear)), "http status 503, expected 200..299");
  EXPECT_EQ(bad(target(https("/moved"), ports_.good)), "http status 301, expected 200..299");
  ProbeConfig wide = https("/broken");
  wide.status = {{200, 200}, {500, 599}};
  EXPECT_EQ(good(target(wide, ports_.good)), "http status 503");
  ProbeConfig head = https("/healthz");
  head.method = "HEAD";
  EXPECT_EQ(good(target(head, ports_.good)), "http status 200");
  head.http_version = 2;
  EXPECT_EQ(good(target(head, ports_.good)), "http status 200");
}

TEST_F(HttpsProbe, JudgesTheBodysFirst64KiB) {
  for (const ProbeConfig& config : {https("/large/file"), https2("/large/file")}) {
    good(target(with_body(config, "xxxx"), ports_.good));
    EXPECT_EQ(bad(target(with_body(config, "at the end"), ports_.good)),
              "the expected text is not in the first 65536 bytes of the body");
  }
  good(target(with_body(http2(), "up and well"), ports_.clear));
  EXPECT_EQ(bad(target(with_body(http2(), "down"), ports_.clear)),
            "the expected text is not in the first 17 bytes of the body");
}

TEST_F(HttpsProbe, ChecksTheCertificate) {
  EXPECT_EQ(bad(target(https(), ports_.expired)), "certificate has expired");
  EXPECT_EQ(bad(target(https(), ports_.misnamed)), "certificate is for other names");
  EXPECT_EQ(bad(target(https(), ports_.untrusted)),
            "certificate is not trusted: unable to get local issuer certificate");
  ProbeConfig by_address = https();
  by_address.host.clear();
  EXPECT_EQ(bad(target(by_address, ports_.misnamed)), "certificate is for other names");
  ProbeConfig system = https();
  system.tls.ca_file.clear();
  EXPECT_EQ(bad(target(system, ports_.good)),
            "certificate is not trusted: unable to get local issuer certificate");
}

TEST_F(HttpsProbe, DoesNotCheckWhenToldNotTo) {
  ProbeConfig config = https();
  config.tls.verify = false;
  for (const uint16_t port : {ports_.expired, ports_.misnamed, ports_.untrusted}) {
    EXPECT_EQ(good(target(config, port)), "http status 200");
  }
}

TEST_F(HttpsProbe, ChecksThePin) {
  ProbeConfig config = https();
  config.tls.pin = certificates().pin("good");
  EXPECT_EQ(good(target(config, ports_.good)), "http status 200");
  config.tls.pin = certificates().pin("other");
  EXPECT_EQ(bad(target(config, ports_.good)), "public key does not match the pin");
  // A pin alone, and a pin that does not make up for an expired certificate.
  config.tls.verify = false;
  EXPECT_EQ(bad(target(config, ports_.untrusted)), "public key does not match the pin");
  config.tls.pin = certificates().pin("untrusted");
  EXPECT_EQ(good(target(config, ports_.untrusted)), "http status 200");
  config.tls.verify = true;
  config.tls.pin = certificates().pin("expired");
  EXPECT_EQ(bad(target(config, ports_.expired)), "certificate has expired");
}

TEST_F(HttpsProbe, ReadsChangedRootsAgain) {
  const TempDir dir;
  ProbeConfig config = https();
  config.tls.ca_file = dir.path() / "roots.pem";
  const AttemptResult missing = run(target(config, ports_.good));
  EXPECT_EQ(missing.outcome, Outcome::kSkipped) << "our fault";
  EXPECT_EQ(missing.reason, "no trusted certificates in " + config.tls.ca_file);
  write_file(config.tls.ca_file, read_file(certificates().root("other")));
  bad(target(config, ports_.good));
  write_file(config.tls.ca_file, read_file(certificates().root()));
  std::filesystem::last_write_time(config.tls.ca_file,
                                   std::filesystem::file_time_type::clock::now() + std::chrono::seconds(5));
  EXPECT_EQ(good(target(config, ports_.good)), "http status 200");
}

TEST_F(HttpsProbe, FindsAServerWithoutHttp2) {
  EXPECT_EQ(bad(target(https2(), ports_.http1)), "the server does not speak HTTP/2");
  Server old(io_, loopback(), say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
  EXPECT_NE(bad(target(http2(), old.port())), "");
}

TEST_F(HttpsProbe, SaysWhereItHangs) {
  EXPECT_EQ(stage_of_hang(target(https("/hung"), ports_.good), "waiting for the response"),
            "waiting for the response");
  EXPECT_EQ(stage_of_hang(target(https2("/hung"), ports_.good), "waiting for the response"),
            "waiting for the response");
  EXPECT_EQ(stage_of_hang(target(http2("/hung"), ports_.clear), "waiting for the response"),
            "waiting for the response");
  EXPECT_EQ(
      stage_of_hang(target(with_body(https("/slow/file"), "the end"), ports_.good), "reading the response"),
      "reading the response");
  nginx_.stop();  // the kernel goes on accepting for it
  EXPECT_EQ(stage_of_hang(target(https(), ports_.good), "in the TLS handshake"), "in the TLS handshake");
  EXPECT_EQ(stage_of_hang(target(http2(), ports_.clear), "waiting for the response"),
            "waiting for the response");
}

TEST_F(HttpsProbe, FindsClosedAndResetConnections) {
  EXPECT_EQ(bad(target(https("/close"), ports_.good)),
            "receive: connection closed before the end of a response's head");
  EXPECT_NE(bad(target(https2("/close"), ports_.good)), "");
  EXPECT_NE(bad(target(http2("/close"), ports_.clear)), "");
  const uint16_t nobody = free_port();
  EXPECT_EQ(bad(target(https(), nobody)), "connect: connection refused");
  EXPECT_EQ(bad(target(http2(), nobody)), "connect: connection refused");
  Server resets(io_, loopback(), reset_when_asked());
  EXPECT_EQ(bad(target(https(), resets.port())), "TLS handshake: connection reset by peer");
  EXPECT_EQ(bad(target(http2(), resets.port())), "receive: connection reset by peer");
}

TEST_F(HttpsProbe, SurvivesGarbage) {
  const uint32_t seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 30; ++round) {
    std::string octets(1 + random() % 3000, '\0');
    for (char& c : octets) {
      c = static_cast<char>(random());
    }
    octets[0] = round % 3 == 0 ? '\x16' : octets[0];  // as a handshake begins
    octets.insert(0, round % 3 == 1 ? "HTTP/1.1 200 OK\r\n" : "");
    Server server(io_, loopback(), [&](std::shared_ptr<Server::Connection> connection) {
      boost::asio::write(connection->socket, boost::asio::buffer(octets));
    });
    for (const ProbeConfig& config : {https(), https2(), http2()}) {
      expect_printable(bad(target(config, server.port())));
    }
  }
}

TEST_F(HttpsProbe, NginxWithoutTlsIsNamed) {
  EXPECT_EQ(bad(target(https(), ports_.clear)), "TLS handshake: wrong version number");
}

TEST_F(HttpsProbe, LeavesNoDescriptorAndNoTimeWait) {
  good(target(https(), ports_.good));
  const auto descriptors = [] {
    return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {});
  };
  const auto before = descriptors();
  for (int i = 0; i < 20; ++i) {
    good(target(https(), ports_.good));
    good(target(https2(), ports_.good));
    good(target(http2(), ports_.clear));
    bad(target(https(), ports_.expired));
  }
  EXPECT_EQ(descriptors(), before);
  // rem_address and st of our end.
  for (const uint16_t port : {ports_.good, ports_.clear, ports_.expired}) {
    EXPECT_EQ(read_file("/proc/net/tcp").find(fmt::format(" 0100007F:{:04X} 06", port)), std::string::npos);
  }
}

TEST_F(HttpsProbe, SkipsWhatFailsOnOurSide) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  const rlimit before = limit;
  const UniqueFd next(dup(0));
  limit.rlim_cur = static_cast<rlim_t>(next.get());
  const ProbeTarget what = target(https(), ports_.good);
  setrlimit(RLIMIT_NOFILE, &limit);
  const AttemptResult result = run(what);
  setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_EQ(result.outcome, Outcome::kSkipped) << result.reason;
  EXPECT_EQ(good(what), "http status 200");
}

TEST_F(HttpsProbe, ManyAtATimeAndCancelledAtAnyTime) {
  std::mt19937 random(7);
  std::vector<std::shared_ptr<Attempt>> attempts;
  const ProbeTarget one = target(https(), ports_.good);
  const ProbeTarget two = target(http2(), ports_.clear);
  int ended = 0;
  int cancelled = 0;
  for (int i = 0; i < 100; ++i) {
    attempts.push_back(factory_.make(i % 2 == 0 ? one.config.type : two.config.type));
    attempts.back()->start(i % 2 == 0 ? one : two, [&ended, &attempts, i](const AttemptResult& result) {
      EXPECT_EQ(result.outcome, Outcome::kSuccess) << result.reason;
      ++ended;
      attempts[static_cast<size_t>(i)].reset();
    });
    io_.restart();
    io_.poll();
    const size_t victim = random() % attempts.size();
    if (i % 3 == 0 && attempts[victim]) {
      attempts[victim]->cancel();
      attempts[victim].reset();
      ++cancelled;
    }
  }
  EXPECT_TRUE(run_until([&] { return ended + cancelled == 100; })) << ended << " + " << cancelled;
}

TEST_F(HttpsProbe, ReusesAnAttempt) {
  const std::shared_ptr<Attempt> attempt = factory_.make(ProbeType::kHttps);
  const ProbeTarget targets[] = {target(https(), ports_.good), target(http2(), ports_.clear),
                                 target(https("/broken"), ports_.good), target(https(), ports_.expired)};
  std::vector<std::string> reasons;
  std::function<void(size_t)> next = [&](size_t i) {
    if (i < std::size(targets)) {
      attempt->start(targets[i], [&, i](const AttemptResult& result) {
        reasons.push_back(result.reason);
        next(i + 1);
      });
    }
  };
  next(0);
  EXPECT_TRUE(run_until([&] { return reasons.size() == std::size(targets); }));
  EXPECT_EQ(reasons,
            (std::vector<std::string>{"http status 200", "http status 200",
                                      "http status 503, expected 200..299", "certificate has expired"}));
}

TEST_F(HttpsProbe, BoundsTheResponsesHead) {
  std::string head = "HTTP/1.1 200 OK\r\n";
  for (int i = 0; i < 70; ++i) {
    head += fmt::format("X-{}: {}\r\n", i, std::string(1000, 'x'));
  }
  const TlsServer server(io_, certificates(), head + "\r\n");
  EXPECT_EQ(bad(target(https(), server.port())), "receive: the response's head is longer than 65536 bytes");
}

TEST_F(HttpsProbe, BoundsInterimResponses) {
  std::string octets;
  for (int i = 0; i < 8; ++i) {
    octets += "HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n";
  }
  const std::string end = "HTTP/1.1 204 No Content\r\n\r\n";
  const TlsServer few(io_, certificates(), octets + end);
  EXPECT_EQ(good(target(https(), few.port())), "http status 204");
  const TlsServer many(io_, certificates(), octets + "HTTP/1.1 103 Early Hints\r\n\r\n" + end);
  EXPECT_EQ(bad(target(https(), many.port())), "receive: more than 8 interim responses");
}

TEST_F(HttpsProbe, FindsAnAnswerThatIsCutOff) {
  const TlsServer head(io_, certificates(), "HTTP/1.1 200 OK\r\nContent-Le");
  EXPECT_EQ(bad(target(https(), head.port())).substr(0, 9), "receive: ");
  const TlsServer body(io_, certificates(), "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nuper");
  EXPECT_EQ(bad(target(with_body(https(), "superb"), body.port())).substr(0, 9), "receive: ");
  EXPECT_EQ(good(target(with_body(https(), "upe"), body.port())), "http status 200");
}

TEST_F(HttpsProbe, SurvivesGarbageAfterTheHandshake) {
  const uint32_t seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 20; ++round) {
    std::string octets(1 + random() % 3000, '\0');
    for (char& c : octets) {
      c = static_cast<char>(random());
    }
    const TlsServer server(io_, certificates(), octets, round % 2 == 0 ? "\2h2" : "");
    ProbeConfig grpc = https();
    grpc.type = ProbeType::kGrpc;
    grpc.tls.enabled = true;
    for (const ProbeConfig& config : {https(), https2(), grpc}) {
      expect_printable(bad(target(config, server.port())));
    }
  }
}

TEST_F(HttpsProbe, SpeaksWithNghttpd) {
  const TempDir dir;
  write_file(dir.path() / "healthz", "fine");
  const uint16_t port = free_port();
  const Program nghttpd({"/usr/sbin/nghttpd", "--no-tls", "-a", "127.0.0.1", "-d", dir.path(), "--trailer",
                         "x-end: yes", std::to_string(port)},
                        dir.path() / "log");
  wait_for(port);
  EXPECT_EQ(good(target(with_body(http2(), "fine"), port)), "http status 200");
  EXPECT_EQ(bad(target(http2("/absent"), port)), "http status 404, expected 200..299");
  const uint16_t tls_port = free_port();
  const Program tls({"/usr/sbin/nghttpd", "-a", "127.0.0.1", "-d", dir.path(), std::to_string(tls_port),
                     certificates().key("good"), certificates().certificate("good")},
                    dir.path() / "log");
  wait_for(tls_port);
  EXPECT_EQ(good(target(with_body(https2(), "fine"), tls_port)), "http status 200");
}

TEST_F(HttpsProbe, TheProberTellsOfAServerThatIsStopped) {
  std::vector<ProbeStatus> seen;
  Prober prober(io_, [&](const std::string&, const std::string&, const ProbeStatus& status) {
    seen.push_back(status);
  });
  ProbeConfig config = https();
  config.interval = milliseconds(200);
  config.timeout = milliseconds(150);
  config.fall = 2;
  prober.set_users({{"web", "b", target(config, ports_.good), {}}});
  ASSERT_TRUE(run_until([&] { return !seen.empty() && seen.back().health == Health::kHealthy; }));
  nginx_.stop();
  ASSERT_TRUE(run_until([&] { return seen.back().health == Health::kUnhealthy; }));
  EXPECT_NE(seen.back().reason.find("in the TLS handshake"), std::string::npos) << seen.back().reason;
}

}  // namespace
}  // namespace maglb::test
