// Signals that arrive as events, for commands that go on until they are told to stop.
#pragma once

#include <signal.h>

#include <initializer_list>

namespace maglb::ctl {

// While it lives the signals are blocked and can be read from fd(); those that nobody took are forgotten
// with it. One thread.
class SignalQueue {
 public:
  explicit SignalQueue(std::initializer_list<int> signals);
  ~SignalQueue();
  SignalQueue(const SignalQueue&) = delete;
  SignalQueue& operator=(const SignalQueue&) = delete;

  int fd() const { return fd_; }
  // One that waits, or 0.
  int take();
  // One of `signals` waits; it is not taken.
  static bool pending(std::initializer_list<int> signals);

 private:
  sigset_t before_;
  int fd_;
};

}  // namespace maglb::ctl
