#include "controlplane/probe/exec_attempt.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "lib/base/unique_fd.h"

namespace maglb {
namespace {

using boost::system::error_code;

error_code system_error(int number) {
  return {number, boost::system::system_category()};
}

// A process that cannot be made says nothing about the target; a program that cannot be run does: it is
// never good.
bool no_process_to_be_had(const error_code& error) {
  return is_our_fault(error) || error.value() == EAGAIN;
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> list;
  for (std::string& each : strings) {
    list.push_back(each.data());
  }
  list.push_back(nullptr);
  return list;
}

std::vector<std::string> environment_of(const ProbeTarget& target) {
  std::vector<std::string> environment = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                                          "MAGLB_ADDRESS=" + target.address.to_string()};
  if (target.port != 0) {
    environment.push_back(fmt::format("MAGLB_PORT={}", target.port));
  }
  return environment;
}

// posix_spawn's two objects, set to what the header promises.
class SpawnSettings {
 public:
  SpawnSettings(int input, int output) {
    sigset_t all;
    sigset_t none;
    sigfillset(&all);
    sigemptyset(&none);
    good_ = posix_spawnattr_init(&attributes_) == 0 && posix_spawn_file_actions_init(&files_) == 0 &&
            posix_spawnattr_setflags(
                &attributes_, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK) == 0 &&
            posix_spawnattr_setpgroup(&attributes_, 0) == 0 &&
            posix_spawnattr_setsigdefault(&attributes_, &all) == 0 &&
            posix_spawnattr_setsigmask(&attributes_, &none) == 0 &&
            posix_spawn_file_actions_adddup2(&files_, input, STDIN_FILENO) == 0 &&
            posix_spawn_file_actions_adddup2(&files_, output, STDOUT_FILENO) == 0 &&
            posix_spawn_file_actions_adddup2(&files_, output, STDERR_FILENO) == 0 &&
            posix_spawn_file_actions_addclosefrom_np(&files_, STDERR_FILENO + 1) == 0 &&
            posix_spawn_file_actions_addchdir_np(&files_, "/") == 0;
  }
  ~SpawnSettings() {
    posix_spawn_file_actions_destroy(&files_);
    posix_spawnattr_destroy(&attributes_);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;

  // An errno, or 0.
  int spawn(pid_t& pid, std::vector<std::string> command, std::vector<std::string> environment) const {
    if (!good_) {
      return ENOMEM;
    }
    return posix_spawn(&pid, command[0].c_str(), &files_, &attributes_, pointers(command).data(),
                       pointers(environment).data());
  }

 private:
  posix_spawnattr_t attributes_;
  posix_spawn_file_actions_t files_;
  bool good_ = false;
};

std::string printable(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c > 0x7e; }, ' ');
  const size_t last = text.find_last_not_of(' ');
  return last == std::string::npos ? std::string() : text.substr(0, last + 1);
}

std::string ending_text(int code, int status) {
  return code == CLD_EXITED ? fmt::format("exit status {}", status)
                            : fmt::format("killed by signal {}", status);
}

}  // namespace

// A child from its birth to its reaping, whoever still wants to know.
class ExecAttempt::Child {
 public:
  Child(boost::asio::io_context& io, pid_t pid, std::shared_ptr<ExecChildren> children)
      : pid_(pid), descriptor_(io), children_(std::move(children)) {
    ++children_->living;
    const int fd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
    if (fd >= 0) {
      error_code ignored;
      descriptor_.assign(fd, ignored);
    }
  }
  ~Child() {
    kill_group();
    siginfo_t ignored;
    reap(ignored);
    --children_->living;
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  boost::asio::posix::stream_descriptor& descriptor() { return descriptor_; }

  // The number of a child that is not reaped is nobody else's.
  void kill_group() const {
    if (!reaped_) {
      ::kill(-pid_, SIGKILL);
    }
  }
  // True when it has ended; never waits.
  bool reap(siginfo_t& how) {
    if (!reaped_) {
      how = {};
      reaped_ = waitid(P_PID, static_cast<id_t>(pid_), &how, WEXITED | WNOHANG) == 0 && how.si_pid == pid_;
    }
    return reaped_;
  }

 private:
  const pid_t pid_;
  boost::asio::posix::stream_descriptor descriptor_;
  std::shared_ptr<ExecChildren> children_;
  bool reaped_ = false;
};

void ExecAttempt::run() {
  stage_ = "running";
  kept_.clear();
  const std::vector<std::string>& command = target_->config.command;
  if (command.empty() || !command[0].starts_with('/')) {
    return finish_later(Outcome::kFailure, "the program is no absolute path");
  }
  if (children_->living >= kMaxChildren) {
    return finish_later(Outcome::kSkipped, fmt::format("{} programs are running already", kMaxChildren));
  }
  int ends[2] = {-1, -1};
  const UniqueFd input(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!input || ::pipe2(ends, O_CLOEXEC) != 0) {
    return finish_later(Outcome::kSkipped, fmt::format("open: {}", describe(system_error(errno))));
  }
  UniqueFd from(ends[0]);
  const UniqueFd to(ends[1]);
  ErrorCode error;
  spawn(input.get(), to.get(), error);
  if (error) {
    return finish_later(no_process_to_be_had(error) ? Outcome::kSkipped : Outcome::kFailure,
                        fmt::format("{}: {}", command[0], describe(error)));
  }
  output_.assign(from.release(), error);
  output_.non_blocking(true, error);
  watch();
  read_output();
}

void ExecAttempt::spawn(int input, int output, ErrorCode& error) {
  pid_t pid = -1;
  const int failure =
      SpawnSettings(input, output).spawn(pid, target_->config.command, environment_of(*target_));
  if (failure != 0) {
    error = system_error(failure);
    return;
  }
  child_ = std::make_shared<Child>(io_, pid, children_);
  if (!child_->descriptor().is_open()) {
    error = system_error(EMFILE);
    child_->kill_group();
    siginfo_t how{};
    waitid(P_PID, static_cast<id_t>(pid), &how, WEXITED | WNOWAIT);  // at once: it was killed
    child_->reap(how);
    child_ = nullptr;
  }
}

// The handler holds the child, so that it is reaped even when this attempt was cancelled.
void ExecAttempt::watch() {
  child_->descriptor().async_wait(boost::asio::posix::stream_descriptor::wait_read,
                                  [self = shared_from_this(), child = child_](const ErrorCode&) {
                                    siginfo_t how{};
                                    child->kill_group();
                                    const bool ended = child->reap(how);
                                    if (self->child_ != child) {
                                      return;
                                    }
                                    ended ? self->ended(how.si_code, how.si_status)
                                          : self->finish(Outcome::kSkipped,
                                                         "the program's end could not be learned");
                                  });
}

void ExecAttempt::read_output() {
  output_.async_read_some(boost::asio::buffer(chunk_), then(&ExecAttempt::got_output));
}

void ExecAttempt::got_output(ErrorCode error, size_t size) {
  if (error) {
    return;  // it closed its output; the pidfd tells the end
  }
  keep(size);
  read_output();
}

void ExecAttempt::keep(size_t size) {
  kept_.append(chunk_.data(), std::min(size, kMaxOutputBytes - kept_.size()));
}

// What it wrote last may still lie in the pipe.
void ExecAttempt::ended(int code, int status) {
  ErrorCode error;
  while (kept_.size() < kMaxOutputBytes) {
    const size_t size = output_.read_some(boost::asio::buffer(chunk_), error);
    if (error || size == 0) {
      break;
    }
    keep(size);
  }
  const std::string said = printable(kept_);
  const bool good = code == CLD_EXITED && status == 0;
  finish(good ? Outcome::kSuccess : Outcome::kFailure,
         ending_text(code, status) + (said.empty() ? "" : ": " + said));
}

void ExecAttempt::close() {
  if (child_ != nullptr) {
    child_->kill_group();
    child_ = nullptr;
  }
  ErrorCode ignored;
  output_.close(ignored);
}

}  // namespace maglb
