// Probes against a real web server, that is killed and started again.
#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/temp_dir.h"
#include "tests/unit/controlplane/probe/probe_fixture.h"

namespace maglb::test {
namespace {

constexpr const char* kNginx = "/usr/sbin/nginx";

class Nginx {
 public:
  Nginx(const std::string& host, uint16_t port) {
    // One process and no log, so that the kill below is the whole death of it.
    write_file(dir_.path() / "nginx.conf", fmt::format(R"(
      daemon off; master_process off; pid {0}/pid; error_log {0}/error.log;
      events {{ worker_connections 64; }}
      http {{
        access_log off; client_body_temp_path {0}/body; proxy_temp_path {0}/proxy;
        fastcgi_temp_path {0}/fastcgi; uwsgi_temp_path {0}/uwsgi; scgi_temp_path {0}/scgi;
        server {{
          listen {1}:{2};
          location /healthz {{ return 200 "ok"; }}
          location /broken {{ return 503; }}
        }}
      }})",
                                                       dir_.path().string(), host, port));
  }
  ~Nginx() { stop(); }

  void start() {
    const std::string config = dir_.path() / "nginx.conf";
    const std::string log = dir_.path() / "error.log";
    pid_ = fork();
    if (pid_ == 0) {
      execl(kNginx, kNginx, "-e", log.c_str(), "-p", dir_.path().c_str(), "-c", config.c_str(), nullptr);
      _exit(127);
    }
  }
  void stop() {
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      waitpid(std::exchange(pid_, -1), nullptr, 0);
    }
  }
  std::string log() const { return read_file(dir_.path() / "error.log"); }

 private:
  TempDir dir_;
  pid_t pid_ = -1;
};

class NginxProbe : public ProbeTest {
 protected:
  void SetUp() override {
    if (access(kNginx, X_OK) != 0) {
      GTEST_SKIP() << kNginx << " is not installed";
    }
  }

  // Free a moment ago.
  uint16_t free_port() {
    return tcp::acceptor(io_, tcp::endpoint(asio_address(loopback()), 0)).local_endpoint().port();
  }

  static ProbeConfig http(const std::string& path) {
    ProbeConfig c = config(ProbeType::kHttp);
    c.path = path;
    return c;
  }
};

TEST_P(NginxProbe, FollowsARealServerThroughDeathAndReturn) {
  const uint16_t port = free_port();
  Nginx nginx(in_url(), port);
  nginx.start();
  prober().set_users({user("ok", port, http("/healthz")), user("broken", port, http("/broken")),
                      user("tcp", port, config())});
  ASSERT_TRUE(run_until([&] {
    return health("ok") == Health::kHealthy && health("tcp") == Health::kHealthy;
  })) << nginx.log();
  EXPECT_EQ(status("ok").reason, "http status 200");
  ASSERT_TRUE(run_until([&] { return status("broken").reason == "http status 503, expected 200..399"; }));
  EXPECT_EQ(health("broken"), Health::kUnhealthy);

  nginx.stop();
  ASSERT_TRUE(
      run_until([&] { return health("ok") == Health::kUnhealthy && health("tcp") == Health::kUnhealthy; }));
  nginx.start();
  ASSERT_TRUE(run_until([&] {
    return health("ok") == Health::kHealthy && health("tcp") == Health::kHealthy;
  })) << nginx.log();
  EXPECT_EQ(health("broken"), Health::kUnhealthy);
}

INSTANTIATE_TEST_SUITE_P(Families, NginxProbe, both_families(), family_of);

}  // namespace
}  // namespace maglb::test
