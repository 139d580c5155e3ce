#include "tools/maglbctl/signal_queue.h"

#include <sys/signalfd.h>
#include <unistd.h>

#include "lib/base/check.h"

namespace maglb::ctl {

SignalQueue::SignalQueue(std::initializer_list<int> signals) {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : signals) {
    sigaddset(&set, signal);
  }
  check(sigprocmask(SIG_BLOCK, &set, &before_) == 0, "signals can be blocked");
  fd_ = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  check(fd_ >= 0, "signals can be read from a descriptor");
}

SignalQueue::~SignalQueue() {
  // One that waits has had its effect: unblocked it would end the program.
  while (take() != 0) {
  }
  close(fd_);
  sigprocmask(SIG_SETMASK, &before_, nullptr);
}

int SignalQueue::take() {
  signalfd_siginfo info;
  return read(fd_, &info, sizeof(info)) == sizeof(info) ? static_cast<int>(info.ssi_signo) : 0;
}

bool SignalQueue::pending(std::initializer_list<int> signals) {
  sigset_t waiting;
  sigpending(&waiting);
  for (const int signal : signals) {
    if (sigismember(&waiting, signal) == 1) {
      return true;
    }
  }
  return false;
}

}  // namespace maglb::ctl
