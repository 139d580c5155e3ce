// A real etcd: put, delete, compaction, restart, gone, several endpoints, TLS.
#include "controlplane/discovery/etcd_source.h"

#include <fmt/format.h>

#include <filesystem>
#include <optional>

#include "tests/support/temp_dir.h"
#include "tests/unit/controlplane/discovery/source_fixture.h"
#include "tests/unit/controlplane/probe/real_servers.h"

namespace maglb::test {
namespace {

using std::chrono::milliseconds;

// One member with a port of its own, and its data in a directory of the test.
class Etcd {
 public:
  explicit Etcd(const Certificates* tls = nullptr) : tls_(tls) { start(); }

  void start() {
    std::vector<std::string> words = {"/usr/bin/etcd",
                                      "--name=test",
                                      "--log-level=error",
                                      "--logger=zap",
                                      "--data-dir=" + (dir_.path() / "data").string(),
                                      "--listen-client-urls=" + url(),
                                      "--advertise-client-urls=" + url(),
                                      "--listen-peer-urls=" + peer(),
                                      "--initial-advertise-peer-urls=" + peer(),
                                      "--initial-cluster=test=" + peer()};
    if (tls_ != nullptr) {
      for (const std::string& word :
           {"--cert-file=" + tls_->certificate("good"), "--key-file=" + tls_->key("good"),
            "--trusted-ca-file=" + tls_->root(), std::string("--client-cert-auth")}) {
        words.push_back(word);
      }
    }
    program_.emplace(words, dir_.path() / "log");
    run("put up 1", "for i in $(seq 200); do ", " && exit 0; sleep 0.1; done; exit 1");
  }
  void stop() { program_.reset(); }

  std::string url() const {
    return fmt::format("{}://127.0.0.1:{}", tls_ == nullptr ? "http" : "https", port_);
  }
  // As etcdctl's words.
  void run(const std::string& words, const std::string& before = "", const std::string& after = "") const {
    std::string files;
    if (tls_ != nullptr) {
      files = fmt::format("--cacert {} --cert {} --key {}", tls_->root(), tls_->certificate("good"),
                          tls_->key("good"));
    }
    Program::output_of(fmt::format("{}ETCDCTL_API=3 etcdctl --endpoints={} {} {} >/dev/null 2>&1{}", before,
                                   url(), files, words, after));
  }
  void put(const std::string& name, const std::string& value) const {
    run(fmt::format("put /web/{} '{}'", name, value));
  }

 private:
  std::string peer() const { return fmt::format("http://127.0.0.1:{}", peer_port_); }

  const Certificates* tls_;
  TempDir dir_;
  const uint16_t port_ = free_port();
  const uint16_t peer_port_ = free_port();
  std::optional<Program> program_;
};

class EtcdSourceTest : public SourceTest {
 protected:
  static BackendSource at(const std::vector<std::string>& endpoints) {
    BackendSource config;
    config.type = SourceType::kEtcd;
    config.endpoints = endpoints;
    config.prefix = "/web/";
    return config;
  }
};

TEST_F(EtcdSourceTest, FollowsKeysThroughCompactionRestartAndLoss) {
  Etcd etcd;
  etcd.put("a", "10.0.1.11");
  etcd.run("put /other/x 10.0.1.99");
  start(at({etcd.url()}));
  ASSERT_TRUE(finds("a@10.0.1.11=100"));
  etcd.put("b", R"({"address": "10.0.1.12", "weight": 50})");
  ASSERT_TRUE(finds("a@10.0.1.11=100 b@10.0.1.12=50"));
  etcd.run("del /web/a");
  ASSERT_TRUE(finds("b@10.0.1.12=50"));
  etcd.put("c", "no address");
  ASSERT_TRUE(run_until([&] { return complaint_.find("'/web/c'") != std::string::npos; }));
  EXPECT_EQ(list_, "b@10.0.1.12=50");

  etcd.stop();
  ASSERT_TRUE(fails(etcd.url()));
  EXPECT_EQ(list_, "b@10.0.1.12=50");
  etcd.start();
  etcd.put("d", "10.0.1.14");
  etcd.run("compact $(ETCDCTL_API=3 etcdctl --endpoints=" + etcd.url() +
           " get x -w json | grep -o '\"revision\":[0-9]*' | cut -d: -f2)");
  ASSERT_TRUE(finds("b@10.0.1.12=50 d@10.0.1.14=100"));
  EXPECT_NE(complaint_, "");
}

// The history is gone between the range and the watch: it asks for all again.
TEST_F(EtcdSourceTest, AsksAgainWhenItsRevisionIsCompacted) {
  Etcd etcd;
  etcd.put("a", "10.0.1.11");
  start(at({etcd.url()}));
  ASSERT_TRUE(finds("a@10.0.1.11=100"));
  const size_t lists = lists_;
  // The loop does not run, and has not sent the watch yet.
  for (int i = 0; i < 5; ++i) {
    etcd.put("a", fmt::format("10.0.1.{}", 20 + i));
  }
  etcd.run("compact 6");
  ASSERT_TRUE(finds("a@10.0.1.24=100"));
  EXPECT_GT(lists_, lists);
  etcd.put("a", "10.0.1.30");
  ASSERT_TRUE(finds("a@10.0.1.30=100"));
}

TEST_F(EtcdSourceTest, TriesItsEndpointsInTurn) {
  Etcd etcd;
  etcd.put("a", "10.0.1.11");
  const std::string nobody = fmt::format("http://127.0.0.1:{}", free_port());
  // By name: /etc/hosts has it.
  std::string named = etcd.url();
  named.replace(named.find("127.0.0.1"), 9, "localhost");
  start(at({nobody, named}));
  ASSERT_TRUE(finds("a@10.0.1.11=100"));
  EXPECT_EQ(errors_, 0u);
}

TEST_F(EtcdSourceTest, ProvesAndAsksForCertificates) {
  const Certificates certificates;
  const Etcd etcd(&certificates);
  etcd.put("a", "10.0.1.11");
  BackendSource config = at({etcd.url()});
  start(config);
  ASSERT_TRUE(fails("certificate"));
  source_->stop();
  config.ca_file = certificates.root();
  config.cert_file = certificates.certificate("good");
  config.key_file = certificates.key("good");
  start(config);
  ASSERT_TRUE(finds("a@10.0.1.11=100"));
  etcd.put("a", "10.0.1.12");
  ASSERT_TRUE(finds("a@10.0.1.12=100"));
}

TEST_F(EtcdSourceTest, StopsAtAnyTime) {
  Etcd etcd;
  etcd.put("a", "10.0.1.11");
  for (int steps = 0; steps < 12; ++steps) {
    start(at({etcd.url()}));
    for (int i = 0; i < steps; ++i) {
      io_.restart();
      io_.run_one_for(milliseconds(20));
    }
    source_->stop();
    source_.reset();
    const size_t told = lists_ + errors_;
    run_for(milliseconds(5));
    EXPECT_EQ(lists_ + errors_, told);
  }
}

}  // namespace
}  // namespace maglb::test
