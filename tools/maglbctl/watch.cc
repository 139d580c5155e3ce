#include "tools/maglbctl/watch.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>

#include "tools/maglbctl/render/human.h"
#include "tools/maglbctl/signal_queue.h"

namespace maglb::ctl {
namespace {

using Clock = std::chrono::steady_clock;

constexpr const char* kOption = "--watch";
constexpr const char* kUsualPeriod = "2";
constexpr const char* kClearAndHome = "\x1b[2J\x1b[H";

// A verb's words may follow: "--watch web" says what to write instead.
std::string refuse_period(std::string& text) {
  double seconds = 0;
  if (!CLI::detail::lexical_cast(text, seconds) || !(seconds >= 0.1 && seconds <= 3600)) {
    return fmt::format("'{}' is no period of 0.1 to 3600 seconds (--watch alone stands at the end)",
                       escaped(text));
  }
  return "";
}

bool print(const std::string& text) {
  return std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0;
}

// What is shown of a failure in the place of an answer.
std::string told(const Failure& failure) {
  std::string text;
  for (const Position& position : failure.positions) {
    text += fmt::format("{}:{}: {}\n", position.line, position.column, position.message);
  }
  return text + fmt::format("maglbctl: {}\n", failure.message);
}

// False once it is interrupted.
bool wait_until(Clock::time_point until, SignalQueue& signals) {
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

}  // namespace

CLI::App& watchable(CLI::App& verb) {
  verb.add_option(kOption, "Repeats it every so many seconds until it is interrupted [2]")
      ->expected(0, 1)
      ->check(CLI::Validator(refuse_period, ""))
      ->option_text("[SECONDS]");
  return verb;
}

std::optional<std::chrono::milliseconds> watch_period(const CLI::App& root) {
  const CLI::App* command = &root;
  while (!command->get_subcommands().empty()) {
    command = command->get_subcommands().front();
  }
  const CLI::Option* option = command->get_option_no_throw(kOption);
  if (option == nullptr || option->count() == 0) {
    return std::nullopt;
  }
  const std::string given = option->results().front();
  double seconds = 0;
  CLI::detail::lexical_cast(given.empty() || given == "{}" ? kUsualPeriod : given, seconds);
  return std::chrono::milliseconds(std::llround(seconds * 1000));
}

Outcome<void> watch(const Action& action, const Session& session, std::chrono::milliseconds period) {
  SignalQueue signals({SIGINT, SIGTERM});
  session.client.interrupt_when([] { return SignalQueue::pending({SIGINT, SIGTERM}); });
  const bool terminal = isatty(STDOUT_FILENO) != 0;
  for (bool first = true;; first = false) {
    const Clock::time_point next = Clock::now() + period;
    const auto answer = action(session);
    if (SignalQueue::pending({SIGINT, SIGTERM})) {
      return {};
    }
    if (!answer && first) {
      return tl::unexpected(answer.error());
    }
    const std::string text = answer ? *answer : told(answer.error());
    if (!print((terminal ? kClearAndHome : first ? "" : "\n") + text)) {
      return failed(ExitCode::kFailed, "cannot write to standard output");
    }
    if (!wait_until(next, signals)) {
      return {};
    }
  }
}

}  // namespace maglb::ctl
