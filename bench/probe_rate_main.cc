// The real prober at thousands of probes a second, against a server in another process on another core.
//
//     probe_rate [tcp|http] [TARGETS] [SECONDS]      default: tcp 10000 10
//
// Every target is an address of 127.0.0.0/8 and one of eight ports, at an interval of 1 s. The prober's
// thread is bound to the first CPU that it may use, the server to the last. On the loopback the prober's
// system calls carry the server's half of the handshake too, in softirq: a network costs it less.
#include <fmt/format.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/io_context.hpp>
#include <cstdlib>
#include <string>
#include <vector>

#include <netinet/in.h>

#include "controlplane/probe/prober.h"
#include "lib/base/check.h"

namespace maglb {
namespace {

constexpr size_t kPorts = 8;
constexpr std::string_view kAnswer = "HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 2\r\n\r\nok";

// Bound to the first or the last CPU of those that the process may use.
void bind_to_cpu(bool last) {
  cpu_set_t all;
  sched_getaffinity(0, sizeof(all), &all);
  int chosen = -1;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &all) && (last || chosen < 0)) {
      chosen = cpu;
    }
  }
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(chosen, &one);
  sched_setaffinity(0, sizeof(one), &one);
}

struct Listener {
  int fd = -1;
  uint16_t port = 0;
};

Listener listen_anywhere() {
  Listener listener{::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), 0};
  sockaddr_in address{};
  address.sin_family = AF_INET;
  socklen_t size = sizeof(address);
  check(bind(listener.fd, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
            listen(listener.fd, 4096) == 0 &&
            getsockname(listener.fd, reinterpret_cast<sockaddr*>(&address), &size) == 0,
        "a listening socket");
  listener.port = ntohs(address.sin_port);
  return listener;
}

void accept_all(int epoll, int listener, bool http) {
  for (int fd; (fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
    if (!http) {
      close(fd);
      continue;
    }
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
  }
}

[[noreturn]] void serve(const std::array<Listener, kPorts>& listeners, bool http) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  bind_to_cpu(true);
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  for (const Listener& listener : listeners) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = listener.fd;
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener.fd, &event);
  }
  std::array<epoll_event, 256> events;
  std::array<char, 4096> request;
  while (true) {
    const int count = epoll_wait(epoll, events.data(), static_cast<int>(events.size()), -1);
    for (int i = 0; i < count; ++i) {
      const int fd = events[static_cast<size_t>(i)].data.fd;
      if (std::any_of(listeners.begin(), listeners.end(), [fd](const Listener& l) { return l.fd == fd; })) {
        accept_all(epoll, fd, http);
        continue;
      }
      if (read(fd, request.data(), request.size()) > 0) {
        [[maybe_unused]] const ssize_t sent = send(fd, kAnswer.data(), kAnswer.size(), MSG_NOSIGNAL);
      }
      close(fd);
    }
  }
}

std::vector<ProbeUser> users_of(size_t targets, ProbeType type,
                                const std::array<Listener, kPorts>& listeners) {
  ProbeConfig config;
  config.type = type;
  config.interval = std::chrono::seconds(1);
  config.timeout = std::chrono::milliseconds(500);
  std::vector<ProbeUser> users;
  for (size_t i = 0; i < targets; ++i) {
    const size_t host = i / kPorts + 1;
    const IpAddress address =
        IpAddress::v4({127, 1, static_cast<uint8_t>(host >> 8), static_cast<uint8_t>(host)});
    const std::string name = fmt::format("b{}", i);
    users.push_back({"bench", name, ProbeTarget::make(address, listeners[i % kPorts].port, config), {}});
  }
  return users;
}

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_THREAD, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// The upper end of the bucket in which the share lies.
std::string quantile(const ProbeHistogram& histogram, double share) {
  uint64_t below = 0;
  for (size_t i = 0; i < ProbeHistogram::kBounds.size(); ++i) {
    below += histogram.buckets[i];
    if (static_cast<double>(below) >= share * static_cast<double>(histogram.count())) {
      return fmt::format("<= {} ms", static_cast<double>(ProbeHistogram::kBounds[i].count()) / 1000);
    }
  }
  return "> 10 s";
}

ProbeHistogram less(ProbeHistogram a, const ProbeHistogram& b) {
  for (size_t i = 0; i < a.buckets.size(); ++i) {
    a.buckets[i] -= b.buckets[i];
  }
  return a;
}

int run(ProbeType type, size_t targets, int seconds) {
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  std::array<Listener, kPorts> listeners;
  std::generate(listeners.begin(), listeners.end(), listen_anywhere);
  const pid_t server = fork();
  if (server == 0) {
    serve(listeners, type == ProbeType::kHttp);
  }
  bind_to_cpu(false);
  boost::asio::io_context io;
  Prober prober(io, [](const std::string&, const std::string&, const ProbeStatus&) {});
  prober.set_users(users_of(targets, type, listeners));
  io.run_for(std::chrono::seconds(2));  // the first round, and its transitions
  const ProbeCounters before = prober.counters();
  const ProbeHistogram late_before = prober.lateness();
  const double cpu_before = cpu_seconds();
  const Time began = monotonic_now();
  io.run_for(std::chrono::seconds(seconds));
  const double elapsed = std::chrono::duration<double>(monotonic_now() - began).count();
  const double cpu = cpu_seconds() - cpu_before;
  const ProbeCounters after = prober.counters();
  const double done = static_cast<double>(after.successes - before.successes);
  const ProbeHistogram late = less(prober.lateness(), late_before);
  fmt::print("{} targets, {:.1f} s: {:.0f} good probes/s, {} failures, {} skipped\n", targets, elapsed,
             done / elapsed, after.failures - before.failures, after.skipped - before.skipped);
  fmt::print("CPU of the prober's thread: {:.3f} s per second, {:.3f} s per 10,000 probes\n", cpu / elapsed,
             cpu / done * 10000);
  fmt::print("lateness of a start: p50 {}, p99 {}\n", quantile(late, 0.5), quantile(late, 0.99));
  kill(server, SIGKILL);
  waitpid(server, nullptr, 0);
  return 0;
}

}  // namespace
}  // namespace maglb

int main(int argc, char** argv) {
  const bool http = argc > 1 && std::string_view(argv[1]) == "http";
  const int targets = argc > 2 ? std::atoi(argv[2]) : 10000;
  const int seconds = argc > 3 ? std::atoi(argv[3]) : 10;
  if (targets < 1 || targets > 500000 || seconds < 1) {
    fmt::print(stderr, "probe_rate [tcp|http] [TARGETS] [SECONDS]\n");
    return 2;
  }
  return maglb::run(http ? maglb::ProbeType::kHttp : maglb::ProbeType::kTcp, static_cast<size_t>(targets),
                    seconds);
}
