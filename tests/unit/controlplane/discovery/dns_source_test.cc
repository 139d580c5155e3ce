// A real dnsmasq whose records change, that is restarted, and that is gone.
#include "controlplane/discovery/dns_source.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <optional>

#include "tests/support/temp_dir.h"
#include "tests/unit/controlplane/discovery/source_fixture.h"

namespace maglb::test {
namespace {

using std::chrono::milliseconds;

// Answers for .test out of a hosts file, which it reads again on hup().
class Dnsmasq {
 public:
  Dnsmasq(uint16_t port, const std::string& hosts, const std::vector<std::string>& more) {
    std::vector<std::string> words = {
        "/usr/sbin/dnsmasq", "--keep-in-foreground",         "--no-resolv",
        "--no-hosts",        "--conf-file=/dev/null",        "--bind-interfaces",
        "--user=root",       "--pid-file=" + hosts + ".pid", "--listen-address=127.0.0.1",
        "--local=/test/",    fmt::format("--port={}", port), "--addn-hosts=" + hosts};
    words.insert(words.end(), more.begin(), more.end());
    std::vector<char*> arguments;
    for (std::string& word : words) {
      arguments.push_back(word.data());
    }
    arguments.push_back(nullptr);
    pid_ = fork();
    if (pid_ == 0) {
      execv(arguments[0], arguments.data());
      _exit(127);
    }
  }
  Dnsmasq(const Dnsmasq&) = delete;
  Dnsmasq& operator=(const Dnsmasq&) = delete;
  ~Dnsmasq() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  void hup() const { kill(pid_, SIGHUP); }

 private:
  pid_t pid_ = -1;
};

class DnsSourceTest : public SourceTest {
 protected:
  void hosts(const std::string& text) const { write_file(hosts_, text); }
  void serve(const std::vector<std::string>& more = {"--local-ttl=1"}) {
    server_.reset();
    server_.emplace(port_, hosts_.string(), more);
  }
  void ask(const std::string& name, DnsRecords records,
           std::chrono::seconds refresh = std::chrono::seconds(1)) {
    BackendSource config;
    config.type = SourceType::kDns;
    config.name = name;
    config.records = records;
    config.servers = {fmt::format("127.0.0.1:{}", port_)};
    config.refresh = refresh;
    config.weight = 7;
    start(config);
  }

  TempDir dir_;
  const std::filesystem::path hosts_ = dir_.path() / "hosts";
  const uint16_t port_ = free_port();
  std::optional<Dnsmasq> server_;
};

TEST_F(DnsSourceTest, FollowsTheAddressesOfAName) {
  hosts("10.0.1.11 web.test\n10.0.1.12 web.test\n2001:db8::b web.test\n");
  serve();
  ask("web.test", DnsRecords::kBoth);
  ASSERT_TRUE(finds("10.0.1.11=7 10.0.1.12=7 v6-2001-db8--b@2001:db8::b=7"));
  hosts("10.0.1.12 web.test\n10.0.1.13 web.test\n");
  server_->hup();
  ASSERT_TRUE(finds("10.0.1.12=7 10.0.1.13=7"));
}

TEST_F(DnsSourceTest, AsksForOneFamilyWhereItIsTold) {
  hosts("10.0.1.11 web.test\n2001:db8::b web.test\n");
  serve();
  ask("web.test", DnsRecords::kA);
  ASSERT_TRUE(finds("10.0.1.11=7"));
  source_->stop();
  ask("web.test", DnsRecords::kAaaa);
  ASSERT_TRUE(finds("v6-2001-db8--b@2001:db8::b=7"));
}

TEST_F(DnsSourceTest, NeverFindsNobody) {
  hosts("10.0.1.11 web.test\n");
  serve();
  ask("web.test", DnsRecords::kBoth);
  ASSERT_TRUE(finds("10.0.1.11=7"));
  hosts("10.0.1.11 other.test\n");
  server_->hup();
  ASSERT_TRUE(fails("there is no such record"));
  EXPECT_EQ(list_, "10.0.1.11=7");
  server_.reset();
  ASSERT_TRUE(fails("A web.test: "));
  hosts("10.0.1.14 web.test\n");
  serve();
  ASSERT_TRUE(finds("10.0.1.14=7"));
}

TEST_F(DnsSourceTest, TakesTheTargetsOfTheLowestPriorityWithTheirWeights) {
  hosts("10.0.1.11 a.test\n10.0.1.12 b.test\n2001:db8::b b.test\n10.0.1.13 c.test\n");
  serve({"--local-ttl=1", "--srv-host=_web._tcp.test,a.test,80,10,60",
         "--srv-host=_web._tcp.test,b.test,81,10,0", "--srv-host=_web._tcp.test,c.test,80,20,60"});
  ask("_web._tcp.test", DnsRecords::kSrv);
  ASSERT_TRUE(finds("10.0.1.11=60 10.0.1.12=1 v6-2001-db8--b@2001:db8::b=1"));
  EXPECT_EQ(complaint_, "");
  // The first group is gone, and of the second one has no address.
  serve({"--local-ttl=1", "--srv-host=_web._tcp.test,c.test,80,20,60",
         "--srv-host=_web._tcp.test,d.test,80,20,1"});
  ASSERT_TRUE(finds("10.0.1.13=60"));
  EXPECT_NE(complaint_.find("no address of d.test"), std::string::npos) << complaint_;
}

// More than a datagram holds: over TCP.
TEST_F(DnsSourceTest, TakesHundredsOfAddresses) {
  std::string text;
  for (int i = 0; i < 400; ++i) {
    text += fmt::format("10.0.{}.{} web.test\n", i / 200, i % 200);
  }
  hosts(text);
  serve();
  ask("web.test", DnsRecords::kA);
  ASSERT_TRUE(run_until([&] { return lists_ > 0; })) << error_;
  EXPECT_EQ(std::count(list_.begin(), list_.end(), '='), 400);
}

// A TTL of an hour does not keep it from asking after `refresh`; one of 0 does not make it ask all the time.
TEST_F(DnsSourceTest, AsksNoMoreOftenThanEverySecondAndNoLessThanRefresh) {
  hosts("10.0.1.11 web.test\n");
  serve({"--local-ttl=3600"});
  ask("web.test", DnsRecords::kBoth, std::chrono::seconds(2));
  ASSERT_TRUE(finds("10.0.1.11=7"));
  const auto begin = std::chrono::steady_clock::now();
  const size_t lists = lists_;
  ASSERT_TRUE(run_until([&] { return lists_ > lists; }));
  EXPECT_GE(std::chrono::steady_clock::now() - begin, milliseconds(1900));
  source_->stop();
  serve({"--local-ttl=0"});
  ask("web.test", DnsRecords::kBoth, std::chrono::seconds(2));
  const size_t before = lists_;
  ASSERT_TRUE(run_until([&] { return lists_ > before; }));
  const auto again = std::chrono::steady_clock::now();
  ASSERT_TRUE(run_until([&] { return lists_ > before + 1; }));
  EXPECT_GE(std::chrono::steady_clock::now() - again, milliseconds(900));
}

TEST_F(DnsSourceTest, StopsInTheMiddleOfAQuestion) {
  ask("web.test", DnsRecords::kBoth);
  io_.run_one();
  source_->stop();
  source_.reset();
  run_for(milliseconds(50));
  EXPECT_EQ(errors_ + lists_, 0u);
}

}  // namespace
}  // namespace maglb::test
