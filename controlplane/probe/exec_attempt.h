// exec: runs a program and is good when it exits with status 0.
//
// The program is an absolute path and gets no shell. It runs as a process group of its own, in "/", with
// no descriptor but /dev/null as input and one pipe as output, no signal ignored or blocked, and an
// environment of PATH, MAGLB_ADDRESS and, where one is known, MAGLB_PORT. (No pool or backend: a target
// is probed once, whoever uses it.) The first kMaxOutputBytes of its output become the reason; the rest
// is read and thrown away.
//
// Invariants:
//   1. When an attempt ends, by itself or by cancel(), everything that is left of the group is killed. A
//      program that leaves its group (setsid) escapes: run it under a supervisor of its own.
//   2. Nothing here waits: a child is reaped when its pidfd says that it has ended, even after a cancel().
//   3. At most kMaxChildren of one ExecChildren live, those that are killed and not reaped yet included.
//      Attempts beyond are skipped.
#pragma once

#include <sys/types.h>

#include <array>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cstdint>
#include <memory>
#include <string>

#include "controlplane/probe/attempt_base.h"

namespace maglb {

// How many run, of all attempts that share it.
struct ExecChildren {
  uint32_t living = 0;
};

class ExecAttempt final : public AttemptBase<ExecAttempt> {
 public:
  static constexpr size_t kMaxOutputBytes = 4096;
  static constexpr uint32_t kMaxChildren = 64;

  ExecAttempt(boost::asio::io_context& io, std::shared_ptr<ExecChildren> children)
      : AttemptBase(io), children_(std::move(children)), output_(io) {}

 private:
  class Child;

  void run() override;
  void close() override;
  void spawn(int input, int output, ErrorCode& error);
  void watch();
  void read_output();
  void got_output(ErrorCode error, size_t size);
  void keep(size_t size);
  void ended(int code, int status);

  std::shared_ptr<ExecChildren> children_;
  std::shared_ptr<Child> child_;
  boost::asio::posix::stream_descriptor output_;
  std::array<char, 4096> chunk_;
  std::string kept_;
};

}  // namespace maglb
