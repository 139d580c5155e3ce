#include "controlplane/desired/save_queue.h"

#include <utility>

namespace maglb {
namespace {

// Leaves them where they are when they cannot be written.
template <typename Rows, typename Save>
Result<void> write_rows(Rows& rows, const Save& save) {
  if (rows.empty()) {
    return {};
  }
  std::vector<typename Rows::mapped_type::value_type> upserts;
  std::vector<BackendKey> removals;
  for (const auto& [key, row] : rows) {
    if (row) {
      upserts.push_back(*row);
    } else {
      removals.push_back(key);
    }
  }
  return save(upserts, removals).map([&rows] { rows.clear(); });
}

}  // namespace

SaveQueue::SaveQueue(boost::asio::io_context& io, Store& store, std::function<void(const Result<void>&)> told)
    : timer_(io), store_(store), told_(std::move(told)) {}

SaveQueue::~SaveQueue() {
  (void)write();
}

void SaveQueue::put(StoredHealth row) {
  BackendKey key{row.pool, row.backend};
  health_.insert_or_assign(std::move(key), std::move(row));
}

void SaveQueue::put(StoredDrain row) {
  BackendKey key{row.pool, row.backend};
  drains_.insert_or_assign(std::move(key), std::move(row));
}

void SaveQueue::put_members(const std::string& pool, std::vector<StoredMember> members) {
  members_.insert_or_assign(pool, std::move(members));
}

void SaveQueue::flush() {
  if (waiting_ || empty()) {
    return;
  }
  const Result<void> written = write();
  if (!written) {
    waiting_ = true;
    timer_.expires_after(kRetry);
    timer_.async_wait([this](const boost::system::error_code& error) {
      if (!error) {
        waiting_ = false;
        flush();
      }
    });
  }
  told_(written);
}

// Up to the first that is refused: what refuses one mostly refuses all.
Result<void> SaveQueue::write() {
  return write_rows(drains_, [this](const auto& rows,
                                    const auto& gone) { return store_.save_drain_changes(rows, gone); })
      .and_then([this] {
        return write_rows(health_, [this](const auto& rows, const auto& gone) {
          return store_.save_health_changes(rows, gone);
        });
      })
      .and_then([this] { return write_members(); });
}

Result<void> SaveQueue::write_members() {
  while (!members_.empty()) {
    const auto first = members_.begin();
    if (auto saved = store_.save_members(first->first, first->second); !saved) {
      return saved;
    }
    members_.erase(first);
  }
  return {};
}

}  // namespace maglb
