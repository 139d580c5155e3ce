// A change on probation: it goes back by itself unless somebody confirms it in time, so that a change that
// cuts off the one who made it heals.
//
// Which change waits and until when is in the store, in the same transaction as the change; this is its
// clock. While the process lives it waits by the steady clock; over a restart the wall clock counts, and a
// deadline that passed meanwhile is reverted before anything is published.
//
// Meanwhile nothing else may change (allow_change): it would be lost without a word at the revert. What may:
// the confirmation, a rollback, which ends the wait, and a changed file at a start, which wins as ever.
//
// Threads: the io_context's one.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <optional>

#include "controlplane/store/revisions.h"
#include "lib/base/error.h"

namespace maglb {

class Confirmation {
 public:
  static constexpr std::chrono::seconds kShortest{1};
  static constexpr std::chrono::hours kLongest{24};
  // A revert that failed, as on a full disk, is tried again after this.
  static constexpr std::chrono::seconds kRetry{5};

  // `revert` is called at the deadline; it calls watch() or retry().
  Confirmation(boost::asio::io_context& io, std::function<void()> revert);

  void watch(const std::optional<Unconfirmed>& change);
  void retry();

  const std::optional<Unconfirmed>& pending() const { return pending_; }
  // kConflict while a change is unconfirmed.
  Result<void> allow_change() const;

 private:
  void wait(std::chrono::steady_clock::duration time);

  boost::asio::steady_timer timer_;
  std::function<void()> revert_;
  std::optional<Unconfirmed> pending_;
};

}  // namespace maglb
