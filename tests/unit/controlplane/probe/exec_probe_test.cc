// exec with real programs: what they are given, how they end, and that nothing of them is left.
#include <fmt/format.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "tests/support/temp_dir.h"
#include "tests/unit/controlplane/probe/probe_fixture.h"

namespace maglb::test {
namespace {

class ExecProbe : public ProbeTest {
 protected:
  // A script in a file of its own.
  std::vector<std::string> script(const std::string& body) {
    const auto path = dir_.path() / fmt::format("script{}", scripts_++);
    write_file(path, "#!/bin/sh\n" + body);
    chmod(path.c_str(), 0755);
    return {path.string()};
  }
  static ProbeConfig exec(std::vector<std::string> command, milliseconds timeout = milliseconds(10000)) {
    ProbeConfig c = config(ProbeType::kExec);
    c.interval = std::chrono::seconds(600);
    c.timeout = timeout;
    c.command = std::move(command);
    return c;
  }
  // The process that wrote its number there is gone; a zombie of ours would not be.
  bool is_gone(const std::string& file) {
    const std::string text = read_file(dir_.path() / file);
    return !text.empty() && kill(std::stoi(text), 0) != 0;
  }

  TempDir dir_;
  int scripts_ = 0;
};

TEST_P(ExecProbe, ExitStatus0IsGoodAndOutputIsTheReason) {
  const ProbeStatus status = first_outcome(80, exec(script("echo all is well; exit 0")));
  EXPECT_EQ(status.health, Health::kHealthy);
  EXPECT_EQ(status.reason, "exit status 0: all is well");
}

TEST_P(ExecProbe, AnotherStatusOrASignalIsBad) {
  ProbeStatus status = first_outcome(80, exec(script("printf 'a\\033b\\n' >&2; exit 3")));
  EXPECT_EQ(status.health, Health::kUnhealthy);
  EXPECT_EQ(status.reason, "exit status 3: a b");
  prober().set_users({});
  status = first_outcome(80, exec(script("kill -TERM $$")));
  EXPECT_EQ(status.health, Health::kUnhealthy);
  EXPECT_EQ(status.reason, "killed by signal 15");
}

TEST_P(ExecProbe, GetsItsArgumentsAndAnEnvironmentOfItsOwn) {
  setenv("MAGLB_TEST_SECRET", "x", 1);
  std::vector<std::string> command = script("echo \"$1|$MAGLB_ADDRESS|$MAGLB_PORT|$MAGLB_TEST_SECRET|$PWD\"");
  command.push_back("an argument; with $shell signs");
  EXPECT_EQ(first_outcome(80, exec(command)).reason,
            fmt::format("exit status 0: an argument; with $shell signs|{}|80||/", loopback().to_string()));
}

TEST_P(ExecProbe, InheritsNoDescriptor) {
  const auto status = first_outcome(80, exec({"/bin/ls", "/proc/self/fd"}));
  EXPECT_EQ(status.reason, "exit status 0: 0 1 2 3");  // 3 is the folder that it lists
}

TEST_P(ExecProbe, KeepsTheBeginningOfALongOutput) {
  const ProbeStatus status = first_outcome(80, exec({"/bin/sh", "-c", "yes | head -c 1000000; exit 1"}));
  EXPECT_EQ(status.health, Health::kUnhealthy);
  EXPECT_GT(status.reason.size(), 4000u);
  EXPECT_LE(status.reason.size(), 4096 + std::string("exit status 1: ").size());
}

TEST_P(ExecProbe, AtTheTimeoutTheWholeGroupIsKilledAndReaped) {
  const auto command = script(
      fmt::format("sleep 1000 & echo $! > {0}/child; echo $$ > {0}/leader; wait", dir_.path().string()));
  const ProbeStatus status = first_outcome(80, exec(command, milliseconds(1500)));
  EXPECT_EQ(status.reason, "timeout after 1500 ms (running)");
  EXPECT_TRUE(run_until([&] { return is_gone("leader"); }));
}

TEST_P(ExecProbe, WhatAProgramLeavesBehindIsKilled) {
  const auto command =
      script(fmt::format("sleep 1000 > /dev/null & echo $! > {}/child", dir_.path().string()));
  EXPECT_EQ(first_outcome(80, exec(command)).health, Health::kHealthy);
  EXPECT_TRUE(run_until([&] {
    // A zombie that is not ours counts: whose it is now is init's business.
    const std::string number = read_file(dir_.path() / "child");
    const std::string stat = read_file("/proc/" + number.substr(0, number.find('\n')) + "/stat");
    return stat.empty() || stat.find(") Z ") != std::string::npos;
  }));
}

TEST_P(ExecProbe, ARemovedTargetsProgramIsKilledAndReaped) {
  const auto command = script(fmt::format("echo $$ > {}/leader; sleep 1000", dir_.path().string()));
  prober().set_users({user("b", 80, exec(command))});
  ASSERT_TRUE(run_until([&] { return !read_file(dir_.path() / "leader").empty(); }));
  prober().set_users({});
  EXPECT_TRUE(run_until([&] { return is_gone("leader"); }));
  EXPECT_TRUE(transitions_.empty());
}

TEST_P(ExecProbe, AProgramThatCannotBeRunIsAFailure) {
  EXPECT_EQ(first_outcome(80, exec({"/nowhere/probe"})).reason, "/nowhere/probe: no such file or directory");
  prober().set_users({});
  EXPECT_EQ(first_outcome(80, exec({"sh", "-c", "true"})).reason, "the program is no absolute path");
}

TEST_P(ExecProbe, NoMoreThanTheBoundRunAtOnceAndTheOthersWait) {
  std::vector<ProbeUser> users;
  for (int i = 0; i < 80; ++i) {
    const std::string name = "b" + std::to_string(i);
    users.push_back(user(name, 80, exec({"/bin/sh", "-c", "sleep 0.1", name})));
  }
  prober().set_users(users);
  uint64_t most = 0;
  ASSERT_TRUE(run_until([&] {
    most = std::max(most, prober().counters().in_flight);
    return transitions_.size() == 80;
  }));
  EXPECT_EQ(most, 32u);
  EXPECT_EQ(prober().counters().successes, 80u);
  EXPECT_EQ(prober().counters().skipped, 0u);
}

INSTANTIATE_TEST_SUITE_P(Families, ExecProbe, both_families(), family_of);

}  // namespace
}  // namespace maglb::test
