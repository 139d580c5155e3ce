// A test in a network namespace of its own, where it may load programs into the kernel.
#pragma once

#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

namespace maglb {

// Puts this process into a new namespace and runs `commands` of a shell there. False where that cannot be:
// the test is skipped then, with the reason, or has failed by a command.
[[nodiscard]] inline bool entered_own_network(const std::string& commands) {
  const auto enter = [&commands] {
    if (geteuid() != 0) {
      GTEST_SKIP() << "needs root to load BPF programs";
    }
    if (unshare(CLONE_NEWNET) != 0) {
      GTEST_SKIP() << "can't make a network namespace";
    }
    ASSERT_EQ(std::system(commands.c_str()), 0) << commands;
  };
  enter();
  return !testing::Test::IsSkipped() && !testing::Test::HasFatalFailure();
}

}  // namespace maglb
