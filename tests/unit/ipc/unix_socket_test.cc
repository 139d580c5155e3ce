#include "lib/ipc/unix_socket.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "tests/support/temp_dir.h"

namespace maglb {
namespace {

TEST(UnixListener, MakesTheDirectoryThatIsMissing) {
  const test::TempDir temp;
  const std::string path = temp.path() / "maglb/api.sock";
  const auto listener = UnixListener::open(path, 0660);
  ASSERT_TRUE(listener) << listener.error().message;
  struct stat status;
  ASSERT_EQ(stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0660u);
}

TEST(UnixListener, SaysSoWhenMoreThanTheDirectoryIsMissing) {
  const test::TempDir temp;
  const auto listener = UnixListener::open(temp.path() / "a/b/api.sock", 0660);
  ASSERT_FALSE(listener);
  EXPECT_NE(listener.error().message.find("/a/b/api.sock"), std::string::npos);
}

TEST(UnixListener, TakesThePlaceOfOneThatIsGoneButNotOfOneThatListens) {
  const test::TempDir temp;
  const std::string path = temp.path() / "api.sock";
  {
    const auto first = UnixListener::open(path, 0600);
    ASSERT_TRUE(first);
    const auto second = UnixListener::open(path, 0600);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().kind, ErrorKind::kConflict);
  }
  EXPECT_TRUE(UnixListener::open(path, 0600));
}

TEST(UnixListener, LeavesAFileAloneThatIsNoSocket) {
  const test::TempDir temp;
  const std::string path = temp.path() / "api.sock";
  std::ofstream(path) << "precious";
  const auto listener = UnixListener::open(path, 0600);
  ASSERT_FALSE(listener);
  EXPECT_EQ(listener.error().kind, ErrorKind::kConflict);
  EXPECT_EQ(test::read_file(path), "precious");
}

}  // namespace
}  // namespace maglb
