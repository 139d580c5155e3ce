// dns: a real dnsmasq over UDP and TCP, answers cut and mangled, and servers that answer something else.
#include "controlplane/probe/dns_message.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/ip/udp.hpp>
#include <random>

#include "tests/support/temp_dir.h"
#include "tests/unit/controlplane/probe/probe_fixture.h"

namespace maglb::test {
namespace {

using boost::asio::ip::udp;
using Bytes = std::vector<uint8_t>;
using Kind = DnsVerdict::Kind;

constexpr const char* kDnsmasq = "/usr/sbin/dnsmasq";

Bytes operator+(Bytes a, const Bytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

ProbeDns question(const std::string& name, const std::string& type, const std::string& expect = "") {
  ProbeDns dns;
  dns.name = name;
  dns.type = type;
  dns.expect = expect;
  return dns;
}

// A response to `dns` with these flags and answers after the question.
Bytes response(const ProbeDns& dns, uint16_t id, uint16_t flags, uint8_t answers, const Bytes& records) {
  Bytes bytes = dns_question(dns, id).value();
  bytes[2] = static_cast<uint8_t>(flags >> 8);
  bytes[3] = static_cast<uint8_t>(flags);
  bytes[7] = answers;
  return bytes + records;
}

const Bytes kAddress = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 10, 0, 1, 11};
const Bytes kAlias = {0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 60, 0, 4, 1, 'a', 0xc0, 12};

TEST(DnsMessage, FindsWhatIsExpectedAmongTheAnswers) {
  const ProbeDns dns = question("www.example.com", "A", "10.0.1.11");
  EXPECT_EQ(judge_dns(response(dns, 7, 0x8180, 2, kAlias + kAddress), dns, 7).kind, Kind::kGood);
  EXPECT_EQ(judge_dns(response(dns, 7, 0x8180, 1, kAlias), dns, 7).reason,
            "none of 1 answers is the expected one");
  const ProbeDns alias = question("www.example.com", "CNAME", "A.www.Example.com.");
  EXPECT_EQ(judge_dns(response(alias, 7, 0x8180, 1, kAlias), alias, 7).kind, Kind::kGood);
  const ProbeDns text = question("www.example.com", "TXT", "hello");
  const Bytes txt = {0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 60, 0, 7, 3, 'h', 'e', 'l', 2, 'l', 'o'};
  EXPECT_EQ(judge_dns(response(text, 7, 0x8180, 1, txt), text, 7).kind, Kind::kGood);
}

TEST(DnsMessage, OnlyTheAnswerToTheQuestionCounts) {
  const ProbeDns dns = question("example.com", "A");
  EXPECT_EQ(judge_dns(response(dns, 7, 0x8180, 0, {}), dns, 7).kind, Kind::kGood);
  EXPECT_EQ(judge_dns(response(dns, 8, 0x8180, 0, {}), dns, 7).kind, Kind::kNotOurs);
  EXPECT_EQ(judge_dns(response(dns, 7, 0x0100, 0, {}), dns, 7).kind, Kind::kNotOurs);
  EXPECT_EQ(judge_dns(response(question("example.org", "A"), 7, 0x8180, 0, {}), dns, 7).kind, Kind::kNotOurs);
  EXPECT_EQ(judge_dns(response(question("example.com", "MX"), 7, 0x8180, 0, {}), dns, 7).kind,
            Kind::kNotOurs);
  EXPECT_EQ(judge_dns(response(dns, 7, 0x8182, 0, {}), dns, 7).reason, "rcode 2 (SERVFAIL)");
}

TEST(DnsMessage, CanAskForTheRootAndNotForNonsense) {
  EXPECT_TRUE(dns_question(question(".", "NS"), 1).has_value());
  EXPECT_FALSE(dns_question(question("a..b", "A"), 1).has_value());
  EXPECT_FALSE(dns_question(question("a", "ANY"), 1).has_value());
}

// Every cut and many random changes; the sanitizers watch.
TEST(DnsMessage, TakesAnyBytes) {
  const ProbeDns dns = question("www.example.com", "A", "10.0.1.12");
  const Bytes good = response(dns, 7, 0x8180, 2, kAlias + kAddress);
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_NE(judge_dns(std::span(good).first(size), dns, 7).kind, Kind::kGood);
  }
  const uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int round = 0; round < 20000; ++round) {
    Bytes bytes = good;
    for (int i = 0; i < 4; ++i) {
      bytes[2 + random() % (bytes.size() - 2)] = static_cast<uint8_t>(random());
    }
    judge_dns(bytes, dns, 7);
  }
}

class Dnsmasq {
 public:
  explicit Dnsmasq(const std::string& address, uint16_t port) {
    const std::vector<std::string> words = {kDnsmasq,
                                            "--keep-in-foreground",
                                            "--no-resolv",
                                            "--no-hosts",
                                            "--conf-file=/dev/null",
                                            "--bind-interfaces",
                                            "--user=root",
                                            "--pid-file=" + (dir_.path() / "pid").string(),
                                            "--listen-address=" + address,
                                            fmt::format("--port={}", port),
                                            "--host-record=web.test,10.0.1.11,2001:db8::11",
                                            "--txt-record=txt.test,all is well",
                                            "--mx-host=test,mail.test,10",
                                            "--srv-host=_web._tcp.test,web.test,80",
                                            "--local=/test/"};
    std::vector<char*> arguments;
    for (const std::string& word : words) {
      arguments.push_back(const_cast<char*>(word.c_str()));
    }
    arguments.push_back(nullptr);
    pid_ = fork();
    if (pid_ == 0) {
      execv(kDnsmasq, arguments.data());
      _exit(127);
    }
  }
  ~Dnsmasq() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  void stop() const { kill(pid_, SIGSTOP); }

 private:
  TempDir dir_;
  pid_t pid_ = -1;
};

class DnsProbe : public ProbeTest {
 protected:
  static ProbeConfig dns(const ProbeDns& what, bool over_tcp = false) {
    ProbeConfig c = config(ProbeType::kDns);
    c.dns = what;
    c.dns.over_tcp = over_tcp;
    return c;
  }
};

TEST_P(DnsProbe, ARealServerIsJudgedByItsAnswers) {
  if (access(kDnsmasq, X_OK) != 0) {
    GTEST_SKIP() << kDnsmasq << " is not installed";
  }
  const uint16_t port =
      tcp::acceptor(io_, tcp::endpoint(asio_address(loopback()), 0)).local_endpoint().port();
  const Dnsmasq server(loopback().to_string(), port);
  const std::vector<std::pair<ProbeDns, bool>> cases = {
      {question("web.test", "A", "10.0.1.11"), true},
      {question("web.test.", "AAAA", "2001:db8::11"), true},
      {question("txt.test", "TXT", "all is well"), true},
      {question("test", "MX", "mail.test"), true},
      {question("_web._tcp.test", "SRV", "web.test"), true},
      {question("web.test", "A"), true},
      {question("web.test", "A", "10.0.1.12"), false},
      {question("nobody.test", "A"), false},
  };
  std::vector<ProbeUser> users;
  for (size_t i = 0; i < cases.size(); ++i) {
    users.push_back(user("udp" + std::to_string(i), port, dns(cases[i].first)));
    users.push_back(user("tcp" + std::to_string(i), port, dns(cases[i].first, true)));
  }
  prober().set_users(users);
  ASSERT_TRUE(run_until([&] {
    return health("udp0") == Health::kHealthy && health("tcp0") == Health::kHealthy &&
           prober().counters().attempts > 200;
  })) << status("udp0").reason
      << ", " << status("tcp0").reason;
  for (size_t i = 0; i < cases.size(); ++i) {
    for (const std::string& name : {"udp" + std::to_string(i), "tcp" + std::to_string(i)}) {
      EXPECT_EQ(health(name), cases[i].second ? Health::kHealthy : Health::kUnhealthy)
          << name << ": " << status(name).reason;
    }
  }
  EXPECT_EQ(status("udp6").reason, "none of 1 answers is the expected one");
  EXPECT_EQ(status("tcp7").reason, "rcode 3 (NXDOMAIN)");

  // A hung one.
  server.stop();
  ProbeConfig quick = dns(question("web.test", "A"));
  quick.timeout = milliseconds(80);
  EXPECT_EQ(first_outcome(port, quick).reason, "timeout after 80 ms (waiting for an answer)");
}

// Sends other people's answers first, as a spoofer would, then the right one or never.
TEST_P(DnsProbe, StrayDatagramsAreIgnoredButNotForEver) {
  for (const bool flood : {false, true}) {
    udp::socket socket(io_, udp::endpoint(asio_address(loopback()), 0));
    udp::endpoint from;
    Bytes bytes(512);
    socket.async_receive_from(boost::asio::buffer(bytes), from, [&](boost::system::error_code, size_t size) {
      bytes.resize(size);
      bytes[2] |= 0x80;
      Bytes other = bytes;
      other[0] ^= 0x55;
      for (int i = 0; i < (flood ? 100 : 3); ++i) {
        socket.send_to(boost::asio::buffer(other), from);
      }
      if (!flood) {
        socket.send_to(boost::asio::buffer(bytes), from);
      }
    });
    const ProbeStatus status = first_outcome(socket.local_endpoint().port(), dns(question("web.test", "A")));
    EXPECT_EQ(status.reason, flood ? "the answer has another id" : "NOERROR");
    prober().set_users({});
  }
}

TEST_P(DnsProbe, AServerThatIsNotThereIsRefused) {
  udp::socket socket(io_, udp::endpoint(asio_address(loopback()), 0));
  const uint16_t port = socket.local_endpoint().port();
  socket.close();
  EXPECT_EQ(first_outcome(port, dns(question(".", "NS"))).reason, "receive: connection refused");
  prober().set_users({});
  EXPECT_EQ(first_outcome(port, dns(question(".", "NS"), true)).reason, "connect: connection refused");
}

INSTANTIATE_TEST_SUITE_P(Families, DnsProbe, both_families(), family_of);

}  // namespace
}  // namespace maglb::test
