#include "controlplane/desired/confirmation.h"

#include <fmt/format.h>

#include <algorithm>

namespace maglb {

Confirmation::Confirmation(boost::asio::io_context& io, std::function<void()> revert)
    : timer_(io), revert_(std::move(revert)) {}

void Confirmation::watch(const std::optional<Unconfirmed>& change) {
  pending_ = change;
  timer_.cancel();
  if (pending_) {
    const auto left = pending_->deadline - std::chrono::system_clock::now();
    // A wall clock that was set back while we were away does not make it wait for years.
    wait(std::clamp<std::chrono::steady_clock::duration>(left, std::chrono::seconds(0), kLongest));
  }
}

void Confirmation::retry() {
  wait(kRetry);
}

void Confirmation::wait(std::chrono::steady_clock::duration time) {
  timer_.expires_after(time);
  // A handler that was queued when its wait was replaced would be early: the timer tells.
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error && pending_ && timer_.expiry() <= std::chrono::steady_clock::now()) {
      revert_();
    }
  });
}

Result<void> Confirmation::allow_change() const {
  if (!pending_) {
    return {};
  }
  return fail(
      ErrorKind::kConflict,
      fmt::format("revision {} is not confirmed yet: confirm it, or roll back (to revision {} it returns "
                  "by itself), before anything else is changed",
                  pending_->revision, pending_->back_to));
}

}  // namespace maglb
