// How many https, http2 or grpc probes one core carries out: attempts one behind the other's end, so many at
// a time, for some seconds, against a server that runs already; by the CPU time of this process alone.
//
//   probe_curl TYPE PORT [CA_FILE]      TYPE: https, https2, http2, grpc; of 127.0.0.1
//
// With CA_FILE the chain and the name "www.example" are checked; "" checks by the system's roots.
#include <fmt/format.h>
#include <sys/resource.h>

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>

#include "controlplane/probe/attempt_factory.h"

namespace maglb {
namespace {

constexpr int kAtATime = 32;
constexpr auto kFor = std::chrono::seconds(5);

ProbeTarget target_of(std::string_view type, uint16_t port, const char* ca_file) {
  ProbeConfig config;
  config.type = type == "grpc" ? ProbeType::kGrpc : type == "http2" ? ProbeType::kHttp2 : ProbeType::kHttps;
  config.http_version = type == "https2" ? 2 : 1;
  config.host = "www.example";
  config.path = "/healthz";
  config.tls.verify = ca_file != nullptr;
  config.tls.ca_file = ca_file != nullptr ? ca_file : "";
  return ProbeTarget::make(*IpAddress::parse("127.0.0.1"), port, config);
}

class Load {
 public:
  Load(boost::asio::io_context& io, ProbeTarget target) : factory_(io), target_(std::move(target)) {}

  void start(int place) {
    if (std::chrono::steady_clock::now() >= end_) {
      return;
    }
    std::shared_ptr<Attempt>& attempt = attempts_[place];
    if (!attempt) {
      attempt = factory_.make(target_.config.type);
    }
    attempt->start(target_, [this, place](const AttemptResult& result) {
      ++outcomes_[result.reason];
      ++count_;
      start(place);
    });
  }
  uint64_t count() const { return count_; }
  const std::map<std::string, uint64_t>& outcomes() const { return outcomes_; }

 private:
  AttemptFactory factory_;
  const ProbeTarget target_;
  const std::chrono::steady_clock::time_point end_ = std::chrono::steady_clock::now() + kFor;
  std::map<int, std::shared_ptr<Attempt>> attempts_;
  std::map<std::string, uint64_t> outcomes_;
  uint64_t count_ = 0;
};

double cpu_seconds(const rusage& usage) {
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

void run(const ProbeTarget& target) {
  boost::asio::io_context io;
  Load load(io, target);
  rusage before{};
  rusage after{};
  getrusage(RUSAGE_SELF, &before);
  for (int i = 0; i < kAtATime; ++i) {
    load.start(i);
  }
  io.run();
  getrusage(RUSAGE_SELF, &after);
  const double cpu = cpu_seconds(after) - cpu_seconds(before);
  fmt::print("{}: {} probes, {:.0f} a CPU second, {:.2f} CPU seconds, {} MiB at most\n", target.to_string(),
             load.count(), static_cast<double>(load.count()) / cpu, cpu, after.ru_maxrss / 1024);
  for (const auto& [reason, count] : load.outcomes()) {
    fmt::print("  {} {}\n", count, reason);
  }
}

}  // namespace
}  // namespace maglb

int main(int count, char** words) {
  if (count < 3) {
    fmt::print(stderr, "usage: {} https|https2|http2|grpc PORT [CA_FILE]\n", words[0]);
    return 2;
  }
  maglb::run(
      maglb::target_of(words[1], static_cast<uint16_t>(std::atoi(words[2])), count > 3 ? words[3] : nullptr));
}
