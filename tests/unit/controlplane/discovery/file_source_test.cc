// A file that is replaced, written in place, spoilt, removed and reached through a link.
#include "controlplane/discovery/file_source.h"

#include <sys/stat.h>

#include <filesystem>

#include "tests/support/temp_dir.h"
#include "tests/unit/controlplane/discovery/source_fixture.h"

namespace maglb::test {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

std::string targets(const std::string& list) {
  return "[{\"targets\": [" + list + "]}]";
}

class FileSourceTest : public SourceTest {
 protected:
  fs::path path(const std::string& name = "web.json") const { return dir_.path() / name; }
  void start_at(const fs::path& file) {
    BackendSource config;
    config.type = SourceType::kFile;
    config.path = file;
    config.weight = 7;
    start(config);
  }
  void replace(const std::string& text) const {
    write_file(path("web.new"), text);
    fs::rename(path("web.new"), path());
  }

  TempDir dir_;
};

// inotify tells: the slow reading is 10 s away, and these changes are made in less.
TEST_F(FileSourceTest, FollowsReplacementsAtOnce) {
  replace(targets("\"10.0.1.11:80\""));
  start_at(path());
  ASSERT_TRUE(finds("10.0.1.11=7"));
  for (int i = 12; i < 20; ++i) {
    const std::string address = "10.0.1." + std::to_string(i);
    replace(targets("\"" + address + "\""));
    ASSERT_TRUE(finds(address + "=7"));
  }
  write_file(path(), targets("\"10.0.1.30\""));
  ASSERT_TRUE(finds("10.0.1.30=7"));
}

TEST_F(FileSourceTest, SaysWhatIsWrongAndRecovers) {
  start_at(path());
  ASSERT_TRUE(fails("No such file"));
  write_file(path(), "garbage");
  ASSERT_TRUE(fails("not readable as JSON"));
  EXPECT_NE(error_.find(path().string()), std::string::npos) << error_;
  replace(targets("\"10.0.1.11\""));
  ASSERT_TRUE(finds("10.0.1.11=7"));
  fs::remove(path());
  ASSERT_TRUE(fails("No such file"));
  // The same content again is news after an error.
  replace(targets("\"10.0.1.11\""));
  ASSERT_TRUE(finds("10.0.1.11=7"));
}

TEST_F(FileSourceTest, FollowsALinkIntoADirectoryThatIsReplaced) {
  fs::create_directory(path("one"));
  fs::create_directory(path("two"));
  write_file(path("one") / "web.json", targets("\"10.0.1.1\""));
  write_file(path("two") / "web.json", targets("\"10.0.1.2\""));
  fs::create_symlink("one", path("data"));
  fs::create_symlink("data/web.json", path());
  start_at(path());
  ASSERT_TRUE(finds("10.0.1.1=7"));
  fs::create_symlink("two", path("data.new"));
  fs::rename(path("data.new"), path("data"));
  ASSERT_TRUE(finds("10.0.1.2=7"));
}

TEST_F(FileSourceTest, WaitsForADirectory) {
  start_at(path("later") / "web.json");
  ASSERT_TRUE(fails("No such file"));
  fs::create_directory(path("later"));
  write_file(path("later") / "web.json", targets("\"10.0.1.11\""));
  ASSERT_TRUE(finds("10.0.1.11=7"));
}

TEST_F(FileSourceTest, TellsAnUnchangedFileOnce) {
  replace(targets("\"10.0.1.11\""));
  start_at(path());
  ASSERT_TRUE(finds("10.0.1.11=7"));
  for (int i = 0; i < 3; ++i) {
    replace(targets("\"10.0.1.11\""));
    run_for(milliseconds(60));
  }
  EXPECT_EQ(lists_, 1u);
}

TEST_F(FileSourceTest, ReadsNoPipeAndNoEndlessFile) {
  ASSERT_EQ(::mkfifo(path().c_str(), 0600), 0);
  start_at(path());
  ASSERT_TRUE(fails("no regular file"));
  EXPECT_FALSE(read_regular_file("/dev/zero", 100));
  EXPECT_FALSE(read_regular_file("/", 100));
  write_file(path("ten"), "0123456789");
  EXPECT_FALSE(read_regular_file(path("ten"), 9));
  EXPECT_EQ(read_regular_file(path("ten"), 10).value_or(""), "0123456789");
}

TEST_F(FileSourceTest, SaysNothingOnceStopped) {
  start_at(path());
  ASSERT_TRUE(fails("No such file"));
  source_->stop();
  const size_t errors = errors_;
  replace(targets("\"10.0.1.11\""));
  run_for(milliseconds(100));
  EXPECT_EQ(errors_, errors);
  EXPECT_EQ(lists_, 0u);
}

}  // namespace
}  // namespace maglb::test
