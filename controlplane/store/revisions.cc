#include "controlplane/store/revisions.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>

#include "controlplane/store/rows.h"
#include "lib/base/check.h"

namespace maglb {
namespace {

// Larger than any document; a file that says more is damaged.
constexpr uint64_t kMaxSize = uint64_t{64} << 20;
constexpr const char* kColumns = "number, at_ms, source, uid, gid, pid, user, program, why, size, stored";

// The text itself where zlib does not make it smaller.
std::string packed(std::string_view text) {
  uLongf size = compressBound(text.size());
  std::string out(size, '\0');
  const int code = compress2(reinterpret_cast<Bytef*>(out.data()), &size,
                             reinterpret_cast<const Bytef*>(text.data()), text.size(), Z_BEST_SPEED);
  check(code == Z_OK, "memory to compress a document");
  out.resize(size);
  return out.size() < text.size() ? out : std::string(text);
}

Result<std::string> unpacked(std::string stored, uint64_t size) {
  if (stored.size() == size) {
    return stored;
  }
  if (size > kMaxSize) {
    return fail(ErrorKind::kInvalid, fmt::format("a document of {} bytes", size));
  }
  std::string text(size, '\0');
  uLongf length = size;
  const int code = uncompress(reinterpret_cast<Bytef*>(text.data()), &length,
                              reinterpret_cast<const Bytef*>(stored.data()), stored.size());
  if (code != Z_OK || length != size) {
    return fail(ErrorKind::kInvalid, "a document that cannot be decompressed");
  }
  return text;
}

Revision read_row(const sqlite::Statement& row) {
  Revision revision;
  revision.number = static_cast<uint64_t>(row.number(0));
  revision.at = from_ms(row.number(1));
  revision.source = row.number(2) == 0 ? DocumentSource::kFile : DocumentSource::kRuntime;
  revision.author = {{static_cast<uint32_t>(row.number(3)), static_cast<uint32_t>(row.number(4)),
                      static_cast<int32_t>(row.number(5)), row.text(6), row.text(7)},
                     row.text(8)};
  revision.size = static_cast<uint64_t>(row.number(9));
  revision.has_document = row.number(10) > 0 || revision.size == 0;
  return revision;
}

tl::unexpected<Error> forward(Error error) {
  return tl::unexpected<Error>(std::move(error));
}

tl::unexpected<Error> no_revision(uint64_t number) {
  return fail(ErrorKind::kNotFound, fmt::format("there is no revision {}", number));
}

}  // namespace

Result<void> write_revision(sqlite::Database& database, const Revision& revision, std::string_view text) {
  auto insert =
      database.prepare("INSERT INTO revision VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)");
  if (!insert) {
    return forward(std::move(insert).error());
  }
  const Who& who = revision.author.who;
  const std::string body = packed(text);
  insert->bind(1, static_cast<int64_t>(revision.number)).bind(2, to_ms(revision.at));
  insert->bind(3, int64_t{revision.source == DocumentSource::kRuntime});
  insert->bind(4, int64_t{who.uid}).bind(5, int64_t{who.gid}).bind(6, int64_t{who.pid});
  insert->bind(7, who.user).bind(8, who.program).bind(9, revision.author.why);
  insert->bind(10, static_cast<int64_t>(text.size())).bind(11, static_cast<int64_t>(body.size()));
  return insert->bind_bytes(12, body).run();
}

Result<void> prune_revisions(sqlite::Database& database, const RevisionBounds& bounds) {
  auto lines = database.prepare(
      "DELETE FROM revision WHERE number <= (SELECT number FROM revision ORDER BY number DESC LIMIT 1 OFFSET "
      "?1)"
      " AND number NOT IN (SELECT back_to FROM unconfirmed)");
  if (!lines) {
    return forward(std::move(lines).error());
  }
  if (auto done = lines->bind(1, static_cast<int64_t>(bounds.count)).run(); !done) {
    return done;
  }
  auto documents = database.prepare(
      "UPDATE revision SET body = NULL, stored = 0 WHERE stored > 0"
      " AND number <= (SELECT number FROM (SELECT number, sum(stored) OVER (ORDER BY number DESC) AS total"
      "   FROM revision) WHERE total > ?1 ORDER BY number DESC LIMIT 1)"
      " AND number NOT IN (SELECT number FROM revision ORDER BY number DESC LIMIT 2)"
      " AND number NOT IN (SELECT back_to FROM unconfirmed)");
  if (!documents) {
    return forward(std::move(documents).error());
  }
  return documents->bind(1, static_cast<int64_t>(bounds.bytes)).run();
}

Result<std::vector<Revision>> load_revisions(sqlite::Database& database, uint64_t before, size_t limit) {
  const std::string sql =
      fmt::format("SELECT {} FROM revision WHERE number < ?1 ORDER BY number DESC LIMIT ?2", kColumns);
  auto select = database.prepare(sql.c_str());
  if (!select) {
    return forward(std::move(select).error());
  }
  select->bind(1, static_cast<int64_t>(std::min<uint64_t>(before, INT64_MAX)));
  select->bind(2, static_cast<int64_t>(limit));
  std::vector<Revision> revisions;
  while (true) {
    auto row = select->step();
    if (!row) {
      return forward(std::move(row).error());
    }
    if (!*row) {
      return revisions;
    }
    revisions.push_back(read_row(*select));
  }
}

Result<Revision> load_revision(sqlite::Database& database, uint64_t number) {
  if (number >= INT64_MAX) {
    return no_revision(number);
  }
  auto found = load_revisions(database, number + 1, 1);
  if (!found) {
    return forward(std::move(found).error());
  }
  if (found->empty() || found->front().number != number) {
    return no_revision(number);
  }
  return found->front();
}

Result<std::string> load_revision_text(sqlite::Database& database, uint64_t number) {
  const auto revision = load_revision(database, number);
  if (!revision) {
    return forward(revision.error());
  }
  if (!revision->has_document) {
    return fail(ErrorKind::kNotFound,
                fmt::format("the document of revision {} was forgotten for its size", number));
  }
  auto select = database.prepare("SELECT body FROM revision WHERE number = ?1");
  if (!select) {
    return forward(std::move(select).error());
  }
  auto row = select->bind(1, static_cast<int64_t>(number)).step();
  if (!row) {
    return forward(std::move(row).error());
  }
  return unpacked(select->bytes(0), revision->size);
}

Result<void> write_unconfirmed(sqlite::Database& database, const std::optional<Unconfirmed>& change) {
  if (!change) {
    return database.execute("DELETE FROM unconfirmed");
  }
  auto insert = database.prepare("INSERT OR REPLACE INTO unconfirmed VALUES (1, ?1, ?2, ?3)");
  if (!insert) {
    return forward(std::move(insert).error());
  }
  insert->bind(1, static_cast<int64_t>(change->revision)).bind(2, static_cast<int64_t>(change->back_to));
  return insert->bind(3, to_ms(change->deadline)).run();
}

Result<std::optional<Unconfirmed>> load_unconfirmed(sqlite::Database& database) {
  auto select = database.prepare("SELECT revision, back_to, deadline_ms FROM unconfirmed");
  if (!select) {
    return forward(std::move(select).error());
  }
  auto row = select->step();
  if (!row) {
    return forward(std::move(row).error());
  }
  if (!*row) {
    return std::nullopt;
  }
  return Unconfirmed{static_cast<uint64_t>(select->number(0)), static_cast<uint64_t>(select->number(1)),
                     from_ms(select->number(2))};
}

}  // namespace maglb
