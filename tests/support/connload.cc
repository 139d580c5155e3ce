// connload: opens HTTP connections and tells what became of each. A test's client, for loopback and
// the lab's namespaces.
//
//   connload open ADDRESS PORT --connections N --concurrency C [--rate R] [--seconds S]
//       N connections of one GET each (0: until S seconds are over or SIGTERM), at most C at a time
//       and, with R, at most R new ones a second.
//   connload hold ADDRESS PORT --connections N --interval-ms I [--seconds S]
//       N connections that stay open, a GET on each every I ms, until S seconds are over or SIGTERM.
//       Writes "ready" to standard error when every connection has had its first answer or failed.
//   Both: [--path P] [--timeout-ms T] for one answer.
//
// The answer's body is the name of the server. Standard output is one JSON object:
//   {"ok", "failed", "servers": {name: n}, "failures": [{"at", "reason", "server"}], "moved", "held"}
// Times are CLOCK_MONOTONIC seconds; "at" is when the failed connection was opened (open) or broke
// (hold). "moved" counts connections whose later answer came from another server than the first;
// "held" lists, for hold, {"server", "requests", "broken"} for every connection.
#include <arpa/inet.h>
#include <fcntl.h>
#include <getopt.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace {

volatile std::sig_atomic_t stop_requested = 0;

double now_seconds() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

struct Options {
  bool hold = false;
  sockaddr_storage to{};  // of either family
  socklen_t to_length = 0;
  uint64_t connections = 0;
  uint64_t concurrency = 100;
  double rate = 0;
  double seconds = 0;
  double interval = 0.1;
  double timeout = 5;
  std::string path = "/";
};

struct Failure {
  double at;
  std::string reason;
  std::string server;
};

enum class State : uint8_t { kFree, kConnecting, kWaiting, kIdle, kBroken };

struct Connection {
  int fd = -1;
  State state = State::kFree;
  double opened = 0;
  double deadline = 0;  // of the answer, or when the next request goes out (kIdle)
  std::string input;
  std::string server;  // of the first answer
  std::string broken;
  uint64_t requests = 0;
  bool moved = false;
};

// The body of a complete answer in `input`, or null while more must come. Bad input is an empty body.
bool complete_answer(const std::string& input, std::string* body) {
  const size_t head = input.find("\r\n\r\n");
  if (head == std::string::npos) {
    return false;
  }
  size_t length = 0;
  const size_t field = input.find("Content-Length: ");
  if (field != std::string::npos && field < head) {
    std::from_chars(input.data() + field + 16, input.data() + head, length);
  }
  if (input.size() < head + 4 + length) {
    return false;
  }
  *body = input.compare(0, 12, "HTTP/1.1 200") == 0 ? input.substr(head + 4, length) : "";
  while (!body->empty() && body->back() == '\n') {
    body->pop_back();
  }
  return true;
}

class Load {
 public:
  explicit Load(const Options& options)
      : options_(options), epoll_(epoll_create1(EPOLL_CLOEXEC)), request_(make_request(options)) {
    connections_.resize(options.hold ? options.connections : options.concurrency);
  }
  ~Load() { close(epoll_); }
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;

  void run() {
    started_ = now_seconds();
    std::vector<epoll_event> events(512);
    double next_sweep = started_;
    while (!finished()) {
      start_more();
      const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 2);
      for (int i = 0; i < count; ++i) {
        advance(connections_[events[static_cast<size_t>(i)].data.u64], events[static_cast<size_t>(i)].events);
      }
      if (now_seconds() >= next_sweep) {
        sweep();
        next_sweep = now_seconds() + 0.005;
      }
    }
  }

  void print() const {
    std::string out = "{\"ok\": " + std::to_string(ok_) + ", \"failed\": " + std::to_string(failures_.size());
    out += ", \"servers\": {";
    for (const char* comma = ""; const auto& [name, count] : servers_) {
      out += comma + quoted(name) + ": " + std::to_string(count);
      comma = ", ";
    }
    out += "}, \"failures\": [";
    for (const char* comma = ""; const Failure& failure : failures_) {
      out += comma + ("{\"at\": " + std::to_string(failure.at)) + ", \"reason\": " + quoted(failure.reason) +
             ", \"server\": " + quoted(failure.server) + "}";
      comma = ", ";
    }
    out += "], \"moved\": " + std::to_string(moved_) + ", \"held\": [";
    if (options_.hold) {
      for (const char* comma = ""; const Connection& one : connections_) {
        out += comma + ("{\"server\": " + quoted(one.server)) +
               ", \"requests\": " + std::to_string(one.requests) +
               ", \"broken\": " + (one.state == State::kBroken ? quoted(one.broken) : std::string("null")) +
               "}";
        comma = ", ";
      }
    }
    out += "]}\n";
    std::fwrite(out.data(), 1, out.size(), stdout);
  }

 private:
  static std::string make_request(const Options& options) {
    return "GET " + options.path + " HTTP/1.1\r\nHost: lab\r\n\r\n";
  }

  static std::string quoted(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
      out += (c >= ' ' && c < 127 && c != '"' && c != '\\') ? c : '?';
    }
    return out + "\"";
  }

  bool time_is_up() const {
    return stop_requested != 0 || (options_.seconds > 0 && now_seconds() - started_ >= options_.seconds);
  }

  bool finished() const {
    if (time_is_up()) {
      return options_.hold || active_ == 0;
    }
    if (options_.hold) {
      return opened_ == options_.connections && active_ == 0;
    }
    return options_.connections > 0 && opened_ == options_.connections && active_ == 0;
  }

  bool may_open() const {
    if (time_is_up() || (options_.connections > 0 && opened_ == options_.connections)) {
      return false;
    }
    const double due = options_.rate > 0 ? (now_seconds() - started_) * options_.rate : 1e18;
    return static_cast<double>(opened_) < due;
  }

  void start_more() {
    // A bound on each turn keeps answers from waiting behind a wall of connects.
    for (int turn = 0; turn < 64 && active_ < connections_.size() && may_open(); ++turn) {
      open_one(free_slot());
    }
  }

  size_t free_slot() {
    while (connections_[cursor_].state != State::kFree) {
      cursor_ = (cursor_ + 1) % connections_.size();
    }
    return cursor_;
  }

  void open_one(size_t slot) {
    Connection& one = connections_[slot];
    one = Connection{};
    one.opened = now_seconds();
    one.deadline = one.opened + options_.timeout;
    one.state = State::kConnecting;
    one.fd = socket(options_.to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    ++opened_;
    ++active_;
    if (one.fd < 0) {
      return fail(one, std::strerror(errno));
    }
    const int on = 1;
    setsockopt(one.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(one.fd, reinterpret_cast<const sockaddr*>(&options_.to), options_.to_length) != 0 &&
        errno != EINPROGRESS) {
      return fail(one, std::strerror(errno));
    }
    epoll_event event{};
    event.events = EPOLLIN | EPOLLOUT | EPOLLET;
    event.data.u64 = slot;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, one.fd, &event);
  }

  void advance(Connection& one, uint32_t events) {
    if (one.state == State::kConnecting && (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) != 0) {
      int error = 0;
      socklen_t size = sizeof error;
      getsockopt(one.fd, SOL_SOCKET, SO_ERROR, &error, &size);
      if (error != 0) {
        return fail(one, std::strerror(error));
      }
      ask(one);
    }
    if ((one.state == State::kWaiting || one.state == State::kIdle) &&
        (events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0) {
      read_answer(one);
    }
  }

  void ask(Connection& one) {
    one.state = State::kWaiting;
    one.input.clear();
    one.deadline = now_seconds() + options_.timeout;
    if (send(one.fd, request_.data(), request_.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(request_.size())) {
      fail(one, std::strerror(errno));
    }
  }

  void read_answer(Connection& one) {
    char buffer[4096];
    for (;;) {
      const ssize_t got = read(one.fd, buffer, sizeof buffer);
      if (got < 0) {
        if (errno != EAGAIN && errno != EINTR) {
          fail(one, std::strerror(errno));
          return;
        }
        break;
      }
      if (got == 0) {
        return fail(one, "closed by the server");
      }
      one.input.append(buffer, static_cast<size_t>(got));
    }
    std::string body;
    if (one.state == State::kWaiting && complete_answer(one.input, &body)) {
      take_answer(one, body);
    }
  }

  void take_answer(Connection& one, const std::string& body) {
    if (body.empty()) {
      return fail(one, "not an answer of 200 with a name");
    }
    ++ok_;
    if (one.requests++ == 0) {
      one.server = body;
      ++servers_[body];
      first_answer_or_failure();
    } else if (body != one.server && !one.moved) {
      one.moved = true;
      ++moved_;
    }
    if (options_.hold) {
      one.state = State::kIdle;
      one.deadline = now_seconds() + options_.interval;
    } else {
      release(one);
    }
  }

  void fail(Connection& one, const std::string& reason) {
    failures_.push_back({options_.hold ? now_seconds() : one.opened, reason, one.server});
    if (one.requests == 0) {
      first_answer_or_failure();
    }
    one.broken = reason;
    release(one);
    if (options_.hold) {
      one.state = State::kBroken;
    }
  }

  void release(Connection& one) {
    if (one.fd >= 0) {
      close(one.fd);
    }
    one.fd = -1;
    one.state = State::kFree;
    --active_;
  }

  void first_answer_or_failure() {
    if (options_.hold && ++settled_ == options_.connections) {
      std::fputs("ready\n", stderr);
      std::fflush(stderr);
    }
  }

  // What is due: the next request of an idle connection, the end of one that waits too long.
  void sweep() {
    const double now = now_seconds();
    for (Connection& one : connections_) {
      if (one.fd < 0 || now < one.deadline) {
        continue;
      }
      if (one.state == State::kIdle) {
        ask(one);
      } else {
        fail(one, one.state == State::kConnecting ? "no connection in time" : "no answer in time");
      }
    }
  }

  Options options_;
  int epoll_;
  std::string request_;
  std::vector<Connection> connections_;
  std::vector<Failure> failures_;
  std::map<std::string, uint64_t> servers_;
  double started_ = 0;
  size_t cursor_ = 0;
  size_t active_ = 0;
  uint64_t opened_ = 0;
  uint64_t settled_ = 0;
  uint64_t ok_ = 0;
  uint64_t moved_ = 0;
};

[[noreturn]] void usage() {
  std::fputs(
      "usage: connload open|hold ADDRESS PORT --connections N [--concurrency C] [--rate R] [--seconds S]\n"
      "       [--interval-ms I] [--timeout-ms T] [--path P]\n",
      stderr);
  std::exit(2);
}

bool parse_target(const char* address, const char* port, Options& options) {
  addrinfo wanted{};
  wanted.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  wanted.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(address, port, &wanted, &found) != 0) {
    return false;
  }
  std::memcpy(&options.to, found->ai_addr, found->ai_addrlen);
  options.to_length = found->ai_addrlen;
  freeaddrinfo(found);
  return true;
}

Options parse_options(int argc, char** argv) {
  const option known[] = {
      {"connections", required_argument, nullptr, 'n'}, {"concurrency", required_argument, nullptr, 'c'},
      {"rate", required_argument, nullptr, 'r'},        {"seconds", required_argument, nullptr, 's'},
      {"interval-ms", required_argument, nullptr, 'i'}, {"timeout-ms", required_argument, nullptr, 't'},
      {"path", required_argument, nullptr, 'p'},        {}};
  Options options;
  for (int letter; (letter = getopt_long(argc, argv, "", known, nullptr)) != -1;) {
    switch (letter) {
      case 'n':
        options.connections = std::strtoull(optarg, nullptr, 10);
        break;
      case 'c':
        options.concurrency = std::max<uint64_t>(1, std::strtoull(optarg, nullptr, 10));
        break;
      case 'r':
        options.rate = std::strtod(optarg, nullptr);
        break;
      case 's':
        options.seconds = std::strtod(optarg, nullptr);
        break;
      case 'i':
        options.interval = std::strtod(optarg, nullptr) / 1000;
        break;
      case 't':
        options.timeout = std::strtod(optarg, nullptr) / 1000;
        break;
      case 'p':
        options.path = optarg;
        break;
      default:
        usage();
    }
  }
  if (argc - optind != 3) {
    usage();
  }
  const std::string_view mode = argv[optind];
  options.hold = mode == "hold";
  if ((mode != "hold" && mode != "open") || !parse_target(argv[optind + 1], argv[optind + 2], options) ||
      (options.hold && options.connections == 0)) {
    usage();
  }
  return options;
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = parse_options(argc, argv);
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  struct sigaction action {};
  action.sa_handler = [](int) { stop_requested = 1; };
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGINT, &action, nullptr);
  Load load(options);
  load.run();
  load.print();
  return 0;
}
