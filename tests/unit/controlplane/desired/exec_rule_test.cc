// Which programs may be run, on real files, whose owner is who runs the test.
#include "controlplane/desired/exec_rule.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "tests/support/temp_dir.h"

namespace maglb {
namespace {

namespace fs = std::filesystem;

class ExecRuleTest : public testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(dir() / "deep");
    make(dir() / "good");
    make(dir() / "deep" / "good");
    make(dir_.path() / "outside");
    for (const fs::path& each : {dir(), dir() / "deep"}) {
      chmod(each.c_str(), 0755);
    }
  }
  static void make(const fs::path& path) {
    test::write_file(path, "#!/bin/sh\n");
    chmod(path.c_str(), 0755);
  }
  fs::path dir() const { return dir_.path() / "programs"; }
  std::string fault(const fs::path& program) const {
    return ExecRule(dir().string() + "/", geteuid()).fault(program);
  }

  test::TempDir dir_;
};

TEST_F(ExecRuleTest, ProgramsInTheDirectoryMay) {
  EXPECT_EQ(fault(dir() / "good"), "");
  EXPECT_EQ(fault(dir() / "deep" / "good"), "");
  fs::create_symlink(dir() / "deep" / "good", dir() / "link");
  EXPECT_EQ(fault(dir() / "link"), "");
}

TEST_F(ExecRuleTest, OthersMayNot) {
  fs::create_symlink(dir_.path() / "outside", dir() / "out");
  fs::create_symlink(dir() / "good", dir_.path() / "in");
  for (const fs::path& program :
       {fs::path("/bin/true"), dir_.path() / "outside", dir() / "out", dir_.path() / "in", dir(),
        dir() / ".." / "outside", dir() / ".." / "in", dir() / "deep" / ".." / "good", dir() / "." / "good",
        dir() / "deep", dir() / "nobody", fs::path(dir().string() + "2/x")}) {
    EXPECT_NE(fault(program), "") << program;
  }
  EXPECT_NE(ExecRule().fault(dir() / "good").find("--exec-dir"), std::string::npos);
}

TEST_F(ExecRuleTest, WhatWasLookedAtIsWhatRuns) {
  fs::create_symlink(dir() / "deep" / "good", dir() / "link");
  ProbeConfig probe;
  probe.type = ProbeType::kExec;
  probe.command = {(dir() / "link").string(), "argument"};
  ProbeUser user;
  user.target = ProbeTarget::make(*IpAddress::parse("10.0.1.11"), 80, probe);
  std::vector<ProbeUser> users = {user};
  EXPECT_TRUE(ExecRule(dir().string(), geteuid()).refuse(users).empty());
  EXPECT_EQ(users[0].target.config.command,
            (std::vector<std::string>{fs::canonical(dir() / "deep" / "good").string(), "argument"}));
}

TEST_F(ExecRuleTest, NobodyElseMayWriteThemOrWhereTheyLie) {
  for (const fs::path& each : {dir() / "deep" / "good", dir() / "deep", dir()}) {
    for (const mode_t mode : {0775, 0757}) {
      chmod(each.c_str(), mode);
      EXPECT_NE(fault(dir() / "deep" / "good").find("may be written"), std::string::npos) << each;
    }
    chmod(each.c_str(), 0755);
  }
  EXPECT_EQ(fault(dir() / "deep" / "good"), "");
  EXPECT_NE(ExecRule(dir(), geteuid() + 1).fault(dir() / "good").find("not root's"), std::string::npos);
}

TEST_F(ExecRuleTest, OfADocumentOnlyNewProgramsAreLookedAt) {
  ServiceConfig running;
  running.pools.emplace_back();
  running.pools[0].name = "web";
  running.pools[0].health.type = ProbeType::kExec;
  running.pools[0].health.command = {"/bin/true"};
  ServiceConfig next = running;
  next.pools[0].backends.push_back({"a", *IpAddress::parse("10.0.0.1")});
  const ExecRule rule(dir(), geteuid());
  EXPECT_TRUE(rule.allows(next, running));
  ASSERT_FALSE(rule.allows(next, {}));
  next.pools[0].backends[0].health = next.pools[0].health;
  next.pools[0].backends[0].health->command = {"/bin/false"};
  const auto refused = rule.allows(next, running);
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().message.starts_with("pool web: backend a: health: command /bin/false: "))
      << refused.error().message;
  next.pools[0].backends[0].health->command = {(dir() / "good").string()};
  EXPECT_TRUE(rule.allows(next, running));
}

}  // namespace
}  // namespace maglb
