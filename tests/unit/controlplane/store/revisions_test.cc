// Every accepted change is kept with who, when and why; the bounds; an old schema; the events beside them.
#include <gtest/gtest.h>
#include <sqlite3.h>

#include "controlplane/store/schema.h"
#include "controlplane/store/store.h"
#include "tests/support/temp_dir.h"

namespace maglb {
namespace {

using std::chrono::system_clock;

const Author kAnna{{1000, 1001, 4711, "anna", "maglbctl"}, "more room for web"};

std::vector<uint64_t> numbers_of(const std::vector<Revision>& revisions) {
  std::vector<uint64_t> numbers;
  for (const Revision& revision : revisions) {
    numbers.push_back(revision.number);
  }
  return numbers;
}

// A text that does not become smaller by compression.
std::string noise(size_t size, uint32_t seed) {
  std::string out(size, '\0');
  for (char& c : out) {
    seed = seed * 1664525 + 1013904223;
    c = static_cast<char>(seed >> 24);
  }
  return out;
}

class RevisionsTest : public testing::Test {
 protected:
  Store open() { return Store::open(state_dir()).value(); }
  std::filesystem::path state_dir() const { return dir_.path() / "state"; }
  void run_sql(const char* sql) {
    sqlite3* handle = nullptr;
    ASSERT_EQ(sqlite3_open((state_dir() / "state.db").c_str(), &handle), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(handle, sql, nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(handle);
    sqlite3_close(handle);
  }

 private:
  test::TempDir dir_;
};

TEST_F(RevisionsTest, KeepsEveryDocumentWithWhoWhenAndWhy) {
  const std::string big = "version: 1\n" + std::string(100000, 'a');
  {
    Store store = open();
    EXPECT_EQ(store.save_document(big, DocumentSource::kFile, "h", {{0, 0, 0, "file", ""}, "start"}), 1u);
    EXPECT_EQ(store.save_document("b: 2", DocumentSource::kRuntime, "h", kAnna), 2u);
  }
  Store store = open();
  const auto revisions = store.revisions(UINT64_MAX, 10).value();
  ASSERT_EQ(numbers_of(revisions), (std::vector<uint64_t>{2, 1}));
  EXPECT_EQ(revisions[0].author, kAnna);
  EXPECT_EQ(revisions[0].source, DocumentSource::kRuntime);
  EXPECT_EQ(revisions[0].size, 4u);
  EXPECT_LT(system_clock::now() - revisions[0].at, std::chrono::minutes(1));
  EXPECT_EQ(revisions[1].author.who.user, "file");
  EXPECT_EQ(store.revision_text(1), big);
  EXPECT_EQ(store.revision_text(2), "b: 2");
  EXPECT_EQ(store.revision(2)->author, kAnna);
}

TEST_F(RevisionsTest, ListsPageByPage) {
  Store store = open();
  for (int i = 0; i < 7; ++i) {
    ASSERT_TRUE(store.save_document(std::to_string(i), DocumentSource::kRuntime, "h"));
  }
  EXPECT_EQ(numbers_of(*store.revisions(UINT64_MAX, 3)), (std::vector<uint64_t>{7, 6, 5}));
  EXPECT_EQ(numbers_of(*store.revisions(5, 3)), (std::vector<uint64_t>{4, 3, 2}));
  EXPECT_EQ(numbers_of(*store.revisions(2, 3)), (std::vector<uint64_t>{1}));
  EXPECT_TRUE(store.revisions(1, 3)->empty());
}

TEST_F(RevisionsTest, ARevisionThatIsNotThereIsNotFound) {
  Store store = open();
  for (const uint64_t number : {uint64_t{0}, uint64_t{1}, uint64_t{INT64_MAX}, UINT64_MAX}) {
    EXPECT_EQ(store.revision(number).error().kind, ErrorKind::kNotFound);
    EXPECT_EQ(store.revision_text(number).error().kind, ErrorKind::kNotFound);
  }
}

TEST_F(RevisionsTest, AnUnconfirmedChangeSurvivesWithWhatItReturnsTo) {
  const auto deadline = std::chrono::time_point_cast<std::chrono::milliseconds>(system_clock::now());
  {
    Store store = open();
    ASSERT_TRUE(store.save_document("a", DocumentSource::kFile, "h"));
    ASSERT_TRUE(store.save_document("b", DocumentSource::kRuntime, "h", kAnna, deadline));
  }
  {
    Store store = open();
    EXPECT_EQ(store.load()->unconfirmed, (Unconfirmed{2, 1, deadline}));
    ASSERT_TRUE(store.confirm());
    EXPECT_FALSE(store.load()->unconfirmed);
    ASSERT_TRUE(store.save_document("c", DocumentSource::kRuntime, "h", kAnna, deadline));
    EXPECT_EQ(store.load()->unconfirmed, (Unconfirmed{3, 2, deadline}));
    ASSERT_TRUE(store.save_document("b", DocumentSource::kRuntime, "h", kAnna));
  }
  EXPECT_FALSE(open().load()->unconfirmed);
}

class PruneTest : public RevisionsTest {
 protected:
  PruneTest() {
    open();
    database_.emplace(sqlite::Database::open(state_dir() / "state.db").value());
  }
  void add(uint64_t number, std::string_view text) {
    Revision revision;
    revision.number = number;
    ASSERT_TRUE(write_revision(*database_, revision, text));
  }
  std::vector<uint64_t> listed() { return numbers_of(load_revisions(*database_, UINT64_MAX, 5000).value()); }
  std::vector<uint64_t> with_document() {
    auto revisions = load_revisions(*database_, UINT64_MAX, 5000).value();
    std::erase_if(revisions, [](const Revision& revision) { return !revision.has_document; });
    return numbers_of(revisions);
  }
  std::optional<sqlite::Database> database_;
};

TEST_F(PruneTest, ForgetsTheOldestLinesBeyondTheCount) {
  for (uint64_t n = 1; n <= 9; ++n) {
    add(n, "x");
  }
  ASSERT_TRUE(prune_revisions(*database_, {.count = 4, .bytes = 1000}));
  EXPECT_EQ(listed(), (std::vector<uint64_t>{9, 8, 7, 6}));
}

TEST_F(PruneTest, ForgetsTheOldestDocumentsBeyondTheBytesAndKeepsTheirLines) {
  for (uint64_t n = 1; n <= 6; ++n) {
    add(n, noise(1000, static_cast<uint32_t>(n)));
  }
  ASSERT_TRUE(prune_revisions(*database_, {.count = 100, .bytes = 3500}));
  EXPECT_EQ(listed().size(), 6u);
  EXPECT_EQ(with_document(), (std::vector<uint64_t>{6, 5, 4}));
  EXPECT_EQ(load_revision_text(*database_, 4), noise(1000, 4));
  EXPECT_EQ(load_revision_text(*database_, 3).error().kind, ErrorKind::kNotFound);
}

TEST_F(PruneTest, KeepsTheTwoNewestAndWhatAnUnconfirmedChangeReturnsTo) {
  for (uint64_t n = 1; n <= 6; ++n) {
    add(n, noise(1000, static_cast<uint32_t>(n)));
  }
  ASSERT_TRUE(write_unconfirmed(*database_, Unconfirmed{6, 2, {}}));
  ASSERT_TRUE(prune_revisions(*database_, {.count = 3, .bytes = 10}));
  EXPECT_EQ(listed(), (std::vector<uint64_t>{6, 5, 4, 2}));
  EXPECT_EQ(with_document(), (std::vector<uint64_t>{6, 5, 2}));
}

TEST_F(PruneTest, ADamagedDocumentIsAnErrorAndNoCrash) {
  add(1, std::string(1000, 'a'));
  ASSERT_TRUE(database_->execute("UPDATE revision SET body = x'00ff00ff'"));
  EXPECT_EQ(load_revision_text(*database_, 1).error().kind, ErrorKind::kInvalid);
  ASSERT_TRUE(database_->execute("UPDATE revision SET size = 1000000000000"));
  EXPECT_EQ(load_revision_text(*database_, 1).error().kind, ErrorKind::kInvalid);
}

TEST_F(PruneTest, KeepsTheNewestEventsInTheirOrder) {
  std::vector<Event> events;
  for (uint64_t n = 1; n <= 12; ++n) {
    events.push_back({n * 2, {}, EventKind::kHealth, "web", "web1", "healthy: " + std::to_string(n)});
  }
  ASSERT_TRUE(write_events(*database_, events, 5));
  const auto kept = load_events(*database_).value();
  ASSERT_EQ(kept.size(), 5u);
  EXPECT_EQ(kept.front().number, 16u);
  EXPECT_EQ(kept.back().text, "healthy: 12");
}

TEST_F(RevisionsTest, EventsAndTheirPromisedNumbersSurvive) {
  const std::vector<Event> events = {{7, system_clock::time_point(std::chrono::milliseconds(5)),
                                      EventKind::kPublish, "", "", "generation 3 runs"}};
  {
    Store store = open();
    ASSERT_TRUE(store.save_events(events, 1000));
    ASSERT_TRUE(store.save_events({}, 500));
  }
  Store store = open();
  EXPECT_EQ(store.promised_events(), 1000u);
  const auto kept = store.events().value();
  ASSERT_EQ(kept.size(), 1u);
  EXPECT_EQ(kept[0].time, events[0].time);
  EXPECT_EQ(kept[0].kind, EventKind::kPublish);
}

// As the first schema made it, with the third document running.
TEST_F(RevisionsTest, TheDocumentOfAnOldSchemaBecomesTheFirstRevision) {
  std::filesystem::create_directory(state_dir());
  run_sql(R"(
    CREATE TABLE document(id INTEGER PRIMARY KEY CHECK (id = 1), text TEXT NOT NULL, source INTEGER NOT NULL,
      file_hash TEXT NOT NULL, revision INTEGER NOT NULL, applied_at_ms INTEGER NOT NULL);
    CREATE TABLE health(pool TEXT NOT NULL, backend TEXT NOT NULL, healthy INTEGER NOT NULL,
      since_ms INTEGER NOT NULL, reason TEXT NOT NULL, PRIMARY KEY (pool, backend)) WITHOUT ROWID;
    CREATE TABLE counter(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
    INSERT INTO counter VALUES ('generation', 64), ('revision', 3);
    INSERT INTO health VALUES ('web', 'a', 1, 7, 'connected');
    INSERT INTO document VALUES (1, 'version: 1 # ä', 1, 'h', 3, 1795230000123);
    PRAGMA application_id = 0x6d676c62; PRAGMA user_version = 1;)");
  Store store = open();
  EXPECT_EQ(store.load()->document->text, "version: 1 # ä");
  EXPECT_EQ(store.load()->document->revision, 1u);
  EXPECT_EQ(store.load()->generation, 64u);
  ASSERT_EQ(store.load()->health.size(), 1u);
  EXPECT_FALSE(store.load()->health[0].address) << "it was not kept then";
  EXPECT_EQ(numbers_of(*store.revisions(UINT64_MAX, 10)), std::vector<uint64_t>{1});
  EXPECT_EQ(store.revision_text(1), "version: 1 # ä");
  EXPECT_EQ(store.save_document("b", DocumentSource::kRuntime, "h"), 2u);
}

}  // namespace
}  // namespace maglb
