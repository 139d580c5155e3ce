#include "controlplane/store/store.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/temp_dir.h"

namespace maglb {
namespace {

using std::chrono::milliseconds;
using std::chrono::system_clock;

StoredHealth row(std::string pool, std::string backend, bool healthy, int64_t since_ms = 1000,
                 std::string reason = "connected") {
  return {std::move(pool),   std::move(backend),
          healthy,           system_clock::time_point(milliseconds(since_ms)),
          std::move(reason), *IpAddress::parse("10.0.1.11")};
}

class StoreTest : public testing::Test {
 protected:
  Store open() {
    Result<Store> store = Store::open(state_dir());
    EXPECT_TRUE(store) << store.error().message;
    return std::move(store).value();
  }

  // The error of an open() that must fail.
  Error refusal() {
    Result<Store> store = Store::open(state_dir());
    EXPECT_FALSE(store);
    return store ? Error{} : store.error();
  }

  void run_sql(const char* sql) {
    sqlite3* handle = nullptr;
    ASSERT_EQ(sqlite3_open(file().c_str(), &handle), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(handle, sql, nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(handle);
    sqlite3_close(handle);
  }

  std::filesystem::path state_dir() const { return dir_.path() / "state"; }
  std::filesystem::path file() const { return state_dir() / "state.db"; }

 private:
  test::TempDir dir_;
};

TEST_F(StoreTest, StartsEmptyInADirectoryItMakes) {
  Store store = open();
  const StoredState state = store.load().value();
  EXPECT_FALSE(state.document);
  EXPECT_TRUE(state.health.empty());
  EXPECT_EQ(state.generation, 0u);
  struct stat info {};
  ASSERT_EQ(stat(state_dir().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700u);
}

TEST_F(StoreTest, GivesBackWhatWasSaved) {
  const std::string text("version: 1\n# \xc3\xa9, and a zero:\0.", 31);
  const std::vector<StoredHealth> rows = {row("dns", "a", false, 5, "timeout after 500 ms"),
                                          row("web", "a", true), row("web", "b", true, 1795230000123, "")};
  {
    Store store = open();
    EXPECT_EQ(store.save_document("version: 1", DocumentSource::kFile, "h1"), 1u);
    EXPECT_EQ(store.save_document(text, DocumentSource::kRuntime, "h1"), 2u);
    ASSERT_TRUE(store.save_health_changes(rows, {}));
  }
  const StoredState state = open().load().value();
  ASSERT_TRUE(state.document);
  EXPECT_EQ(state.document->text, text);
  EXPECT_EQ(state.document->source, DocumentSource::kRuntime);
  EXPECT_EQ(state.document->file_hash, "h1");
  EXPECT_EQ(state.document->revision, 2u);
  EXPECT_LT(system_clock::now() - state.document->applied_at, std::chrono::minutes(1));
  EXPECT_EQ(state.health, rows);
}

TEST_F(StoreTest, NeverGivesAGenerationTwice) {
  {
    Store store = open();
    EXPECT_EQ(store.reserve_generations(1), 1u);
    EXPECT_EQ(store.reserve_generations(100), 2u);
  }
  Store store = open();
  EXPECT_EQ(store.load()->generation, 101u);
  EXPECT_EQ(store.reserve_generations(1), 102u);
}

TEST_F(StoreTest, CommitsToAWriteAheadLog) {
  Store store = open();
  ASSERT_TRUE(store.save_document("a: 1", DocumentSource::kFile, "h"));
  EXPECT_GT(std::filesystem::file_size(state_dir() / "state.db-wal"), 0u);
}

TEST_F(StoreTest, RefusesASecondOwnerAndNamesTheFirst) {
  int ready[2];
  int done[2];
  ASSERT_EQ(pipe(ready) | pipe(done), 0);
  const pid_t other = fork();
  if (other == 0) {
    Result<Store> store = Store::open(state_dir());
    char byte = store ? 'y' : 'n';
    (void)!write(ready[1], &byte, 1);
    close(done[1]);
    (void)!read(done[0], &byte, 1);
    _exit(0);
  }
  char byte = 0;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  ASSERT_EQ(byte, 'y');
  const Error error = refusal();
  EXPECT_EQ(error.kind, ErrorKind::kConflict);
  EXPECT_NE(error.message.find("in use by process " + std::to_string(other)), std::string::npos)
      << error.message;
  close(done[0]);
  close(done[1]);
  waitpid(other, nullptr, 0);
  open();
}

TEST_F(StoreTest, RefusesAFileThatIsNoDatabaseAndLeavesIt) {
  std::filesystem::create_directory(state_dir());
  const std::string content(10000, 'x');
  test::write_file(file(), content);
  const Error error = refusal();
  EXPECT_EQ(error.kind, ErrorKind::kInvalid);
  EXPECT_NE(error.message.find("state.db: file is not a database"), std::string::npos) << error.message;
  EXPECT_NE(error.message.find("move it away"), std::string::npos) << error.message;
  EXPECT_EQ(test::read_file(file()), content);
}

TEST_F(StoreTest, RefusesADamagedDatabaseAndLeavesIt) {
  {
    Store store = open();
    ASSERT_TRUE(store.save_document(std::string(100000, 'd'), DocumentSource::kFile, "h"));
  }
  run_sql("PRAGMA wal_checkpoint(TRUNCATE)");
  std::string content = test::read_file(file());
  for (size_t i = 4096; i < content.size(); ++i) {
    content[i] = static_cast<char>(i * 31);
  }
  test::write_file(file(), content);
  const Error error = refusal();
  EXPECT_EQ(error.kind, ErrorKind::kInvalid) << error.message;
  EXPECT_EQ(test::read_file(file()), content);
}

TEST_F(StoreTest, RefusesAnotherProgramsDatabaseAndLeavesIt) {
  std::filesystem::create_directory(state_dir());
  run_sql("CREATE TABLE music(title); PRAGMA user_version = 1;");
  const std::string content = test::read_file(file());
  const Error error = refusal();
  EXPECT_EQ(error.kind, ErrorKind::kInvalid);
  EXPECT_NE(error.message.find("another program"), std::string::npos) << error.message;
  EXPECT_EQ(test::read_file(file()), content);
}

TEST_F(StoreTest, RefusesASchemaFromTheFuture) {
  open();
  run_sql("PRAGMA user_version = 99");
  const Error error = refusal();
  EXPECT_EQ(error.kind, ErrorKind::kInvalid);
  EXPECT_NE(error.message.find("schema 99"), std::string::npos) << error.message;
}

TEST_F(StoreTest, TakesAnEmptyFileForANewOne) {
  std::filesystem::create_directory(state_dir());
  test::write_file(file(), "");
  EXPECT_FALSE(open().load()->document);
}

// A child whose files may not grow stands for a full disk. It exits with the number of the check that
// failed, 0 when all is well.
int save_on_a_full_disk(const std::filesystem::path& state_dir) {
  signal(SIGXFSZ, SIG_IGN);
  Result<Store> store = Store::open(state_dir);
  if (!store || !store->save_document("small", DocumentSource::kFile, "h")) {
    return 1;
  }
  const rlimit limit{256 * 1024, 256 * 1024};
  setrlimit(RLIMIT_FSIZE, &limit);
  const Result<uint64_t> refused =
      store->save_document(std::string(1 << 20, 'x'), DocumentSource::kFile, "g");
  if (refused || refused.error().kind != ErrorKind::kSystem) {
    return 2;
  }
  const Result<StoredState> state = store->load();
  if (!state || !state->document || state->document->text != "small") {
    return 3;
  }
  return store->save_document("again", DocumentSource::kRuntime, "h") ? 0 : 4;
}

TEST_F(StoreTest, AFullDiskIsAnErrorThatChangesNothing) {
  const pid_t child = fork();
  if (child == 0) {
    _exit(save_on_a_full_disk(state_dir()));
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_EQ(open().load()->document->text, "again");
}

TEST_F(StoreTest, ADirectoryThatCannotBeMadeIsAnError) {
  test::write_file(state_dir(), "a file in the way");
  EXPECT_EQ(refusal().kind, ErrorKind::kSystem);
}

// Root may write what is read-only, so another user tries.
TEST_F(StoreTest, AReadOnlyFileIsAnError) {
  if (geteuid() != 0) {
    GTEST_SKIP() << "needs root, to become another user";
  }
  open();
  std::filesystem::permissions(state_dir().parent_path(), std::filesystem::perms(0755));
  std::filesystem::permissions(state_dir(), std::filesystem::perms(0777));
  std::filesystem::permissions(state_dir() / "lock", std::filesystem::perms(0666));
  std::filesystem::permissions(file(), std::filesystem::perms(0444));
  const pid_t child = fork();
  if (child == 0) {
    const bool other = setuid(65534) == 0;
    Result<Store> store = Store::open(state_dir());
    _exit(other && !store && store.error().kind == ErrorKind::kSystem ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

TEST(ContentHash, TellsContentsApart) {
  EXPECT_EQ(content_hash("a"), content_hash("a"));
  EXPECT_NE(content_hash("a"), content_hash("b"));
  EXPECT_NE(content_hash(""), content_hash("a"));
}

}  // namespace
}  // namespace maglb
