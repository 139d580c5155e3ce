// Who asks, as far as it can be known, and what a reason may be.
#include "controlplane/api/author.h"

#include <gtest/gtest.h>
#include <unistd.h>

namespace maglb {
namespace {

Target target(const std::string& text) {
  return Target::parse(text).value();
}

TEST(Author, OfAProcessIsItsUserAndProgram) {
  const Who who = who_is({geteuid(), getegid(), getpid()});
  EXPECT_EQ(who.uid, geteuid());
  EXPECT_EQ(who.pid, getpid());
  EXPECT_EQ(who.program, "api_test");
}

TEST(Author, OfAnotherPidNamespaceIsItsUser) {
  const Who who = who_is({0, 0, 0});
  EXPECT_EQ(who.user, "root");
  EXPECT_EQ(who.program, "");
  EXPECT_EQ(who.pid, 0);
  EXPECT_EQ(who_is({4242421, 0, 0}).user, "uid 4242421");
}

TEST(Author, OfACertificateIsItsName) {
  Peer peer{UINT32_MAX, UINT32_MAX, 0, "alice"};
  EXPECT_EQ(who_is(peer).user, "alice");
  EXPECT_EQ(who_is(peer).program, "TLS");
  peer.name.clear();
  EXPECT_EQ(who_is(peer).user, "a certificate without a name");
}

TEST(Author, AReasonIsOneLineOfText) {
  const Peer peer{0, 0, 0};
  EXPECT_EQ(author_of(peer, target("/x?reason=caf%C3%A9%20%22x%22"))->why, "caf\xc3\xa9 \"x\"");
  for (const char* bad : {"a%0Ab", "%00", "%1B%5B31m", "a%0D", "%09", "%7F"}) {
    EXPECT_FALSE(author_of(peer, target(std::string("/x?reason=") + bad))) << bad;
  }
  EXPECT_FALSE(author_of(peer, std::string("a\nb")));
  EXPECT_TRUE(author_of(peer, std::string(kMaxReason, 'x')));
  EXPECT_FALSE(author_of(peer, std::string(kMaxReason + 1, 'x')));
}

}  // namespace
}  // namespace maglb
