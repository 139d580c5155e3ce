// A writer is killed with SIGKILL in the middle of its writes, again and again: the file must stay
// whole and hold everything that was acknowledged.
#include <gtest/gtest.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <charconv>
#include <random>
#include <vector>

#include "controlplane/store/store.h"
#include "tests/support/temp_dir.h"

namespace maglb {
namespace {

constexpr int kKills = 50;

std::string document_of(uint64_t n) {
  return std::to_string(n) + "\n" + std::string(n % 20000, 'x');
}

uint64_t number_of(const StoredState& state) {
  uint64_t number = 0;
  if (state.document) {
    const std::string& text = state.document->text;
    std::from_chars(text.data(), text.data() + text.size(), number);
  }
  return number;
}

struct Acknowledged {
  uint64_t document = 0;
  uint64_t health = 0;
  uint64_t generation = 0;
};

// Writes until it is killed; tells of every success after it was returned.
[[noreturn]] void write_for_ever(const std::filesystem::path& state_dir, int to, uint64_t from) {
  Result<Store> store = Store::open(state_dir);
  if (!store) {
    _exit(1);
  }
  Acknowledged done;
  for (uint64_t n = from;; ++n) {
    done.document = store->save_document(document_of(n), DocumentSource::kRuntime, "h") ? n : 0;
    if (write(to, &done, sizeof done) != sizeof done) {
      _exit(2);
    }
    const std::vector<StoredHealth> rows = {{"pool", "a", true, {}, std::to_string(n)},
                                            {"pool", "b", false, {}, std::to_string(n)}};
    done.health = store->save_health_changes(rows, {}) ? n : 0;
    done.generation = store->reserve_generations(3).value_or(0) + 2;
    if (write(to, &done, sizeof done) != sizeof done) {
      _exit(3);
    }
  }
}

// Runs a writer, kills it a random while after its first success, and returns the last one.
Acknowledged write_and_kill(const std::filesystem::path& state_dir, uint64_t from, std::mt19937_64& random) {
  int ends[2];
  maglb::check(pipe(ends) == 0, "a pipe");
  const pid_t writer = fork();
  if (writer == 0) {
    close(ends[0]);
    write_for_ever(state_dir, ends[1], from);
  }
  close(ends[1]);
  Acknowledged last;
  EXPECT_EQ(read(ends[0], &last, sizeof last), static_cast<ssize_t>(sizeof last));
  usleep(static_cast<useconds_t>(random() % 15000));
  kill(writer, SIGKILL);
  Acknowledged next;
  while (read(ends[0], &next, sizeof next) == static_cast<ssize_t>(sizeof next)) {
    last = next;
  }
  close(ends[0]);
  waitpid(writer, nullptr, 0);
  return last;
}

std::string integrity(const std::filesystem::path& file) {
  sqlite3* handle = nullptr;
  std::string verdict = "no answer";
  if (sqlite3_open(file.c_str(), &handle) == SQLITE_OK) {
    auto keep = [](void* to, int, char** columns, char**) {
      *static_cast<std::string*>(to) = columns[0];
      return 0;
    };
    sqlite3_exec(handle, "PRAGMA integrity_check", keep, &verdict, nullptr);
  }
  sqlite3_close(handle);
  return verdict;
}

TEST(StoreCrash, KeepsEveryAcknowledgedWriteThroughKillDashNine) {
  const uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  const test::TempDir dir;
  uint64_t from = 1;
  for (int i = 0; i < kKills && !testing::Test::HasFailure(); ++i) {
    const Acknowledged last = write_and_kill(dir.path(), from, random);
    Result<Store> store = Store::open(dir.path());
    ASSERT_TRUE(store) << store.error().message;
    const StoredState state = store->load().value();
    const uint64_t document = number_of(state);
    EXPECT_GE(document, last.document);
    EXPECT_LE(document, last.document + 1);
    EXPECT_EQ(state.document->text, document_of(document));
    EXPECT_GE(state.generation, last.generation);
    if (last.health > 0) {
      ASSERT_EQ(state.health.size(), 2u);
      EXPECT_EQ(state.health[0].reason, state.health[1].reason);
      EXPECT_GE(std::stoull(state.health[0].reason), last.health);
    }
    EXPECT_EQ(integrity(dir.path() / "state.db"), "ok");
    from = document + 1;
  }
}

}  // namespace
}  // namespace maglb
