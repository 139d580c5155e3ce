#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>

#include "tools/maglbctl/command.h"
#include "tools/maglbctl/keys.h"
#include "tools/maglbctl/render/top.h"
#include "tools/maglbctl/signal_queue.h"
#include "tools/maglbctl/terminal.h"

namespace maglb::ctl {
namespace {

using Clock = std::chrono::steady_clock;

struct Options {
  double interval_seconds = 2;
  uint64_t frames = 0;  // 0: until it is ended
  bool once = false;
  std::string sort = to_string(TopSort::kPackets);

  uint64_t wanted_frames() const { return once ? 1 : frames; }
};

TopSort sort_of(const std::string& word) {
  TopSort sort = TopSort::kPackets;
  for (std::size_t i = 0; i < kTopSorts && word != to_string(sort); ++i) {
    sort = next(sort);
  }
  return sort;
}

Outcome<TopSample> take_sample(const Session& session) {
  TopSample sample;
  sample.seconds = std::chrono::duration<double>(Clock::now().time_since_epoch()).count();
  const std::pair<const char*, Json*> parts[] = {{"/v1/status", &sample.status},
                                                 {"/v1/stats", &sample.stats},
                                                 {"/v1/services", &sample.services},
                                                 {"/v1/backends", &sample.backends}};
  for (const auto& [path, part] : parts) {
    auto answer = session.client.get(path);
    if (!answer) {
      return tl::unexpected(answer.error());
    }
    *part = std::move(*answer);
  }
  return sample;
}

Outcome<Frame> frame_of(const TopSample& before, const TopSample& now, TopSort sort, bool colour) {
  auto frame = render_top(before, now, sort, colour);
  if (!frame) {
    return failed(ExitCode::kFailed, frame.error().message + ": is this maglb-controlplane?");
  }
  return std::move(*frame);
}

// --- Text: a frame after each interval, for pipes and files.

std::string text_of(const Frame& frame) {
  std::string text;
  for (const auto* part : {&frame.head, &frame.body}) {
    for (const std::string& line : *part) {
      text += line + "\n";
    }
  }
  return text;
}

constexpr std::initializer_list<int> kEndSignals = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

// False when it is to end.
bool pause_until(Clock::time_point until, SignalQueue& signals) {
  while (signals.take() == 0) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
    if (left <= 0) {
      return true;
    }
    pollfd waiting = {signals.fd(), POLLIN, 0};
    poll(&waiting, 1, static_cast<int>(left));
  }
  return false;
}

Outcome<std::string> print_frames(const Session& session, const Options& options) {
  SignalQueue signals(kEndSignals);
  session.client.interrupt_when([] { return SignalQueue::pending(kEndSignals); });
  const auto interval = std::chrono::duration<double>(options.interval_seconds);
  auto before = take_sample(session);
  for (uint64_t printed = 0; before && (options.wanted_frames() == 0 || printed < options.wanted_frames());
       ++printed) {
    if (!pause_until(std::chrono::ceil<Clock::duration>(Clock::now() + interval), signals)) {
      return std::string();
    }
    auto now = take_sample(session);
    if (SignalQueue::pending(kEndSignals)) {
      return std::string();
    }
    if (!now) {
      return tl::unexpected(now.error());
    }
    const auto frame = frame_of(*before, *now, sort_of(options.sort), session.colour);
    if (!frame) {
      return tl::unexpected(frame.error());
    }
    const std::string text = (printed == 0 ? "" : "\n") + text_of(*frame);
    if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0) {
      return failed(ExitCode::kFailed, "cannot write to standard output");
    }
    before = std::move(now);
  }
  if (!before && !SignalQueue::pending(kEndSignals)) {
    return tl::unexpected(before.error());
  }
  return std::string();
}

// --- Screen: drawn after each interval and each key.

class Live {
 public:
  Live(const Session& session, const Options& options, TopSample first)
      : session_(session),
        options_(options),
        sort_(sort_of(options.sort)),
        signals_({SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH, SIGTSTP}),
        before_(first),
        now_(std::move(first)) {}

  Outcome<std::string> run();

 private:
  void sample();
  bool draw();
  void wait_until(Clock::time_point until);
  void take_signals();
  void take_keys();
  void act(Key key);
  void suspend();
  bool something_waits() const;

  const Session& session_;
  const Options& options_;
  TopSort sort_;
  SignalQueue signals_;
  Terminal terminal_;
  TopSample before_;
  TopSample now_;
  Frame frame_;
  std::size_t offset_ = 0;
  std::string trouble_;  // why there is no newer sample
  bool keys_ended_ = false;
  bool over_ = false;
};

// A daemon that hangs does not hold up a key: the request is given up and the old figures stay.
bool Live::something_waits() const {
  pollfd waiting[] = {{signals_.fd(), POLLIN, 0}, {keys_ended_ ? -1 : terminal_.key_fd(), POLLIN, 0}};
  return poll(waiting, 2, 0) > 0;
}

void Live::sample() {
  auto sample = take_sample(session_);
  if (!sample) {
    trouble_ = sample.error().message.substr(0, sample.error().message.find('\n'));
    return;
  }
  trouble_.clear();
  before_ = std::exchange(now_, std::move(*sample));
}

bool Live::draw() {
  auto frame = render_top(before_, now_, sort_, session_.colour);
  if (!frame) {
    trouble_ = frame.error().message;
  } else {
    frame_ = std::move(*frame);
  }
  Frame shown = frame_;
  shown.head.insert(
      shown.head.begin() + static_cast<std::ptrdiff_t>(std::min<std::size_t>(2, shown.head.size())),
      trouble_.empty() ? "q quit  s sort  arrows, page up and down: scroll"
                       : painted(trouble_, Tone::kBad, session_.colour));
  const Screen screen = terminal_.size();
  offset_ = std::min(offset_, last_offset(shown, screen));
  return terminal_.draw(fit(shown, screen, offset_));
}

// The terminal is given back while the shell has it, and taken again at "fg". Without a shell that
// could do so the kernel does not stop it.
void Live::suspend() {
  terminal_.leave();
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTSTP);
  raise(SIGTSTP);
  sigprocmask(SIG_UNBLOCK, &stop, nullptr);
  sigprocmask(SIG_BLOCK, &stop, nullptr);
  terminal_.enter();
}

void Live::take_signals() {
  for (int signal = signals_.take(); signal != 0; signal = signals_.take()) {
    if (signal == SIGTSTP) {
      suspend();
    } else if (signal != SIGWINCH) {
      over_ = true;
    }
  }
}

void Live::act(Key key) {
  const std::size_t page = std::max<std::size_t>(1, terminal_.size().rows / 2);
  switch (key) {
    case Key::kQuit:
      over_ = true;
      break;
    case Key::kSort:
      sort_ = next(sort_);
      break;
    case Key::kUp:
      offset_ -= std::min<std::size_t>(offset_, 1);
      break;
    case Key::kDown:
      offset_ += 1;
      break;
    case Key::kPageUp:
      offset_ -= std::min(offset_, page);
      break;
    case Key::kPageDown:
      offset_ += page;
      break;
    case Key::kHome:
      offset_ = 0;
      break;
    case Key::kEnd:
      offset_ = frame_.body.size();
      break;
  }
}

void Live::take_keys() {
  const auto bytes = terminal_.read_keys();
  if (!bytes) {
    keys_ended_ = true;
    return;
  }
  for (const Key key : decode_keys(*bytes)) {
    act(key);
  }
}

// Draws again after whatever happens before.
void Live::wait_until(Clock::time_point until) {
  while (!over_) {
    over_ = !draw();
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
    if (over_ || left <= 0) {
      return;
    }
    pollfd waiting[] = {{signals_.fd(), POLLIN, 0}, {keys_ended_ ? -1 : terminal_.key_fd(), POLLIN, 0}};
    poll(waiting, 2, static_cast<int>(left));
    take_signals();
    // A terminal that hung up answers every poll at once.
    keys_ended_ = keys_ended_ || (waiting[1].revents & (POLLERR | POLLHUP | POLLNVAL)) != 0;
    if ((waiting[1].revents & POLLIN) != 0) {
      take_keys();
    }
  }
}

Outcome<std::string> Live::run() {
  session_.client.interrupt_when([this] { return something_waits(); });
  const auto interval = std::chrono::duration<double>(options_.interval_seconds);
  const auto after_interval = [&] { return std::chrono::ceil<Clock::duration>(Clock::now() + interval); };
  Clock::time_point next_sample = after_interval();
  wait_until(next_sample);
  for (uint64_t frames = 1; !over_; ++frames) {
    next_sample = after_interval();
    sample();
    if (frames == options_.wanted_frames()) {
      over_ = true;
      draw();
    }
    wait_until(next_sample);
  }
  session_.client.interrupt_when({});
  return std::string();
}

Outcome<std::string> top(const Session& session, const Options& options) {
  if (session.output == Output::kJson || session.output == Output::kYaml) {
    return failed(ExitCode::kUsage,
                  "top is for people: ask for stats, service list and backend list as data");
  }
  const bool live = isatty(STDOUT_FILENO) != 0 && !options.once;
  if (!live) {
    return print_frames(session, options);
  }
  auto first = take_sample(session);
  if (!first) {
    return tl::unexpected(first.error());
  }
  if (auto frame = frame_of(*first, *first, TopSort::kName, false); !frame) {
    return tl::unexpected(frame.error());
  }
  return Live(session, options, std::move(*first)).run();
}

}  // namespace

void add_top(CLI::App& root, Action& chosen) {
  CLI::App& verb = add_verb(root, "top",
                            {.description = "Live view of workers, drops, services and backends, by rates",
                             .arguments = "",
                             .examples = {"top", "top --sort bytes --interval 1", "top --once"}});
  auto options = std::make_shared<Options>();
  verb.add_option("--interval", options->interval_seconds, "Between two samples [2]")
      ->check(CLI::Range(0.1, 3600.0, "0.1..3600"))
      ->option_text("SECONDS");
  verb.add_option("--sort", options->sort, "packets, bytes, new-flows or name [packets]")
      ->check(CLI::IsMember({"packets", "bytes", "new-flows", "name"}))
      ->option_text("KEY");
  verb.add_option("-n,--frames", options->frames, "Ends after so many frames")
      ->check(CLI::Range(uint64_t{1}, uint64_t{1000000000}, "1..1000000000"))
      ->option_text("N");
  verb.add_flag("--once", options->once, "Prints one frame as text, also on a terminal");
  verb.callback(
      [&chosen, options] { chosen = [options](const Session& session) { return top(session, *options); }; });
}

}  // namespace maglb::ctl
