#include "controlplane/store/store.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <system_error>

#include "controlplane/store/drains.h"
#include "controlplane/store/health.h"
#include "controlplane/store/schema.h"
#include "controlplane/store/sqlite.h"
#include "controlplane/store/state_lock.h"
#include "lib/base/check.h"
#include "lib/base/siphash.h"

namespace maglb {
namespace {

using std::chrono::system_clock;

tl::unexpected<Error> forward(Error error) {
  return tl::unexpected<Error>(std::move(error));
}

// Private to the owner: reasons and addresses are nobody else's business.
Result<void> make_directory(const std::filesystem::path& path) {
  std::error_code error;
  if (path.has_parent_path()) {
    std::filesystem::create_directories(path.parent_path(), error);
  }
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
    return fail_errno(path.string(), errno);
  }
  return {};
}

Result<std::optional<StoredDocument>> load_document(sqlite::Database& database) {
  Result<sqlite::Statement> statement =
      database.prepare("SELECT text, source, file_hash, revision, applied_at_ms FROM document");
  if (!statement) {
    return forward(std::move(statement).error());
  }
  Result<bool> row = statement->step();
  if (!row) {
    return forward(std::move(row).error());
  }
  if (!*row) {
    return std::nullopt;
  }
  StoredDocument document;
  document.text = statement->text(0);
  document.source = statement->number(1) == 0 ? DocumentSource::kFile : DocumentSource::kRuntime;
  document.file_hash = statement->text(2);
  document.revision = static_cast<uint64_t>(statement->number(3));
  document.applied_at = from_ms(statement->number(4));
  return document;
}

// Adds to a counter within the caller's transaction and returns its new value.
Result<uint64_t> add_to_counter(sqlite::Database& database, std::string_view name, uint64_t count) {
  Result<sqlite::Statement> statement =
      database.prepare("UPDATE counter SET value = value + ?2 WHERE name = ?1 RETURNING value");
  if (!statement) {
    return forward(std::move(statement).error());
  }
  Result<bool> row = statement->bind(1, name).bind(2, static_cast<int64_t>(count)).step();
  if (!row) {
    return forward(std::move(row).error());
  }
  if (!*row) {
    return fail(ErrorKind::kInvalid, fmt::format("no counter {}", name));
  }
  return static_cast<uint64_t>(statement->number(0));
}

}  // namespace

class Store::Impl {
 public:
  Impl(StateLock lock, sqlite::Database database, std::string path)
      : lock_(std::move(lock)), database_(std::move(database)), path_(std::move(path)) {}

  Result<StoredState> load();
  Result<uint64_t> save_document(std::string_view text, DocumentSource source, std::string_view file_hash,
                                 const Author& author, std::optional<system_clock::time_point> confirm_by);
  Result<void> remember(const Revision& revision, std::string_view text,
                        std::optional<system_clock::time_point> confirm_by);
  Result<void> save_events(std::span<const Event> events, uint64_t promised);
  Result<uint64_t> reserve_generations(uint64_t count);

  sqlite::Database& database() { return database_; }

  // Every error names the file.
  template <typename T>
  Result<T> located(Result<T> result) const {
    if (!result) {
      return forward(std::move(result).error().within(path_));
    }
    return result;
  }

 private:
  StateLock lock_;  // released last: destroyed after the database is closed
  sqlite::Database database_;
  std::string path_;
};

Result<StoredState> Store::Impl::load() {
  Result<std::optional<StoredDocument>> document = load_document(database_);
  if (!document) {
    return forward(std::move(document).error());
  }
  Result<std::vector<StoredHealth>> health = load_health(database_);
  if (!health) {
    return forward(std::move(health).error());
  }
  Result<std::vector<StoredDrain>> drains = load_drains(database_);
  if (!drains) {
    return forward(std::move(drains).error());
  }
  Result<int64_t> generation = database_.query_number("SELECT value FROM counter WHERE name = 'generation'");
  if (!generation) {
    return forward(std::move(generation).error());
  }
  Result<std::optional<Unconfirmed>> unconfirmed = load_unconfirmed(database_);
  if (!unconfirmed) {
    return forward(std::move(unconfirmed).error());
  }
  return StoredState{std::move(*document), std::move(*health), std::move(*drains), *unconfirmed,
                     static_cast<uint64_t>(*generation)};
}

// Within the caller's transaction, before the document is replaced.
Result<void> Store::Impl::remember(const Revision& revision, std::string_view text,
                                   std::optional<system_clock::time_point> confirm_by) {
  Result<int64_t> before = database_.query_number("SELECT revision FROM document");
  if (!before) {
    return forward(std::move(before).error());
  }
  std::optional<Unconfirmed> unconfirmed;
  if (confirm_by) {
    unconfirmed = Unconfirmed{revision.number, static_cast<uint64_t>(*before), *confirm_by};
  }
  return write_revision(database_, revision, text)
      .and_then([&] { return write_unconfirmed(database_, unconfirmed); })
      .and_then([&] { return prune_revisions(database_, {}); });
}

Result<uint64_t> Store::Impl::save_document(std::string_view text, DocumentSource source,
                                            std::string_view file_hash, const Author& author,
                                            std::optional<system_clock::time_point> confirm_by) {
  Result<sqlite::Transaction> transaction = sqlite::Transaction::begin(database_);
  if (!transaction) {
    return forward(std::move(transaction).error());
  }
  Result<uint64_t> revision = add_to_counter(database_, "revision", 1);
  if (!revision) {
    return revision;
  }
  const auto now = system_clock::now();
  Result<void> remembered = remember({*revision, now, source, author, 0, true}, text, confirm_by);
  if (!remembered) {
    return forward(std::move(remembered).error());
  }
  Result<sqlite::Statement> insert =
      database_.prepare("INSERT OR REPLACE INTO document VALUES (1, ?1, ?2, ?3, ?4, ?5)");
  if (!insert) {
    return forward(std::move(insert).error());
  }
  insert->bind(1, text).bind(2, int64_t{source == DocumentSource::kRuntime}).bind(3, file_hash);
  insert->bind(4, static_cast<int64_t>(*revision)).bind(5, to_ms(now));
  return insert->run().and_then([&] { return transaction->commit(); }).map([&] { return *revision; });
}

Result<uint64_t> Store::Impl::reserve_generations(uint64_t count) {
  check(count > 0, "a reservation of at least one generation");
  Result<sqlite::Transaction> transaction = sqlite::Transaction::begin(database_);
  if (!transaction) {
    return forward(std::move(transaction).error());
  }
  Result<uint64_t> last = add_to_counter(database_, "generation", count);
  if (!last) {
    return last;
  }
  return transaction->commit().map([&] { return *last - count + 1; });
}

Result<void> Store::Impl::save_events(std::span<const Event> events, uint64_t promised) {
  Result<sqlite::Transaction> transaction = sqlite::Transaction::begin(database_);
  if (!transaction) {
    return forward(std::move(transaction).error());
  }
  if (Result<void> done = write_events(database_, events); !done) {
    return done;
  }
  Result<sqlite::Statement> promise =
      database_.prepare("UPDATE counter SET value = max(value, ?1) WHERE name = 'event'");
  if (!promise) {
    return forward(std::move(promise).error());
  }
  return promise->bind(1, static_cast<int64_t>(promised)).run().and_then([&] {
    return transaction->commit();
  });
}

std::string content_hash(std::string_view content) {
  const std::span<const uint8_t> bytes(reinterpret_cast<const uint8_t*>(content.data()), content.size());
  return fmt::format("{:016x}-{}", siphash24(SipKey{}, bytes), content.size());
}

Store::Store(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Store::Store(Store&&) noexcept = default;
Store& Store::operator=(Store&&) noexcept = default;
Store::~Store() = default;

Result<Store> Store::open(const std::filesystem::path& state_dir) {
  if (Result<void> made = make_directory(state_dir); !made) {
    return forward(std::move(made).error());
  }
  Result<StateLock> lock = StateLock::acquire(state_dir);
  if (!lock) {
    return forward(std::move(lock).error());
  }
  const std::string path = state_dir / "state.db";
  Result<sqlite::Database> database = sqlite::Database::open(path);
  if (!database) {
    return forward(std::move(database).error().within(path));
  }
  if (Result<void> prepared = prepare_schema(*database); !prepared) {
    Error error = std::move(prepared).error().within(path);
    if (error.kind == ErrorKind::kInvalid) {
      error.message += "; left as it is: move it away to start without the saved state";
    }
    return forward(std::move(error));
  }
  return Store(std::make_unique<Impl>(std::move(*lock), std::move(*database), path));
}

Result<StoredState> Store::load() {
  return impl_->located(impl_->load());
}

Result<uint64_t> Store::save_document(std::string_view text, DocumentSource source,
                                      std::string_view file_hash, const Author& author,
                                      std::optional<system_clock::time_point> confirm_by) {
  return impl_->located(impl_->save_document(text, source, file_hash, author, confirm_by));
}

Result<void> Store::confirm() {
  return impl_->located(write_unconfirmed(impl_->database(), std::nullopt));
}

Result<std::vector<Revision>> Store::revisions(uint64_t before, size_t limit) {
  return impl_->located(load_revisions(impl_->database(), before, limit));
}

// Without the file's name: that a number is not there is no matter of the file.
Result<Revision> Store::revision(uint64_t number) {
  return load_revision(impl_->database(), number);
}

Result<std::string> Store::revision_text(uint64_t number) {
  return load_revision_text(impl_->database(), number);
}

Result<std::vector<Event>> Store::events() {
  return impl_->located(load_events(impl_->database()));
}

Result<void> Store::save_events(std::span<const Event> events, uint64_t promised) {
  return impl_->located(impl_->save_events(events, promised));
}

Result<uint64_t> Store::promised_events() {
  return impl_->located(impl_->database().query_number("SELECT value FROM counter WHERE name = 'event'"))
      .map([](int64_t number) { return static_cast<uint64_t>(number); });
}

Result<void> Store::save_health_changes(std::span<const StoredHealth> upserts, RowKeys removals) {
  return impl_->located(write_health(impl_->database(), upserts, removals));
}

Result<void> Store::save_drain_changes(std::span<const StoredDrain> upserts, RowKeys removals) {
  return impl_->located(write_drains(impl_->database(), upserts, removals));
}

Result<std::vector<StoredMember>> Store::members() {
  return impl_->located(load_members(impl_->database()));
}

Result<void> Store::save_members(const std::string& pool, std::span<const StoredMember> members) {
  return impl_->located(write_members(impl_->database(), pool, members));
}

Result<uint64_t> Store::reserve_generations(uint64_t count) {
  return impl_->located(impl_->reserve_generations(count));
}

}  // namespace maglb
