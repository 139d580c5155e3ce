#include "controlplane/publish/stats.h"

#include <boost/asio/post.hpp>

namespace maglb {
namespace {

constexpr std::chrono::milliseconds kReplyTimeout{5000};

}  // namespace

StatsCache::StatsCache(boost::asio::io_context& io, DataplaneClient& client)
    : io_(io), client_(client), timer_(io) {}

void StatsCache::start() {
  tick();
}

void StatsCache::forget() {
  stats_ = {};
  ask();
}

void StatsCache::tick() {
  ask();
  timer_.expires_after(kPeriod);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) {
      tick();
    }
  });
}

void StatsCache::ask() {
  if (asked_ || !client_.is_connected()) {
    return;
  }
  asked_ = true;
  ask_for_part();
}

void StatsCache::ask_for_part() {
  ipc::Envelope envelope;
  *envelope.mutable_stats_request() = stats_.next_request();
  client_.request(std::move(envelope), kReplyTimeout,
                  [this](Result<ipc::Envelope> reply) { take(std::move(reply)); });
}

void StatsCache::take(Result<ipc::Envelope> reply) {
  if (reply && reply->has_stats()) {
    if (stats_.take(std::move(*reply->mutable_stats()))) {
      return ask_for_part();
    }
    heard_ = std::chrono::steady_clock::now();
  } else if (client_.is_connected()) {
    stats_.start_anew();
  } else {
    stats_ = {};
  }
  asked_ = false;
  release_readers();
}

void StatsCache::refresh(std::function<void()> then) {
  const bool fresh = stats_.is_whole() && std::chrono::steady_clock::now() - heard_ <= kFresh;
  if (fresh || !client_.is_connected()) {
    boost::asio::post(io_, std::move(then));
    return;
  }
  readers_.push_back({std::make_unique<boost::asio::steady_timer>(io_, kPatience), std::move(then)});
  const auto at = std::prev(readers_.end());
  at->timer->async_wait([this, at](const boost::system::error_code& error) {
    if (!error) {
      const auto call = std::move(at->then);
      readers_.erase(at);
      call();
    }
  });
  ask();
}

void StatsCache::release_readers() {
  for (auto at = readers_.begin(); at != readers_.end();) {
    if (at->timer->cancel() == 1) {
      boost::asio::post(io_, std::move(at->then));
      at = readers_.erase(at);
    } else {
      ++at;
    }
  }
}

const HeardStats* StatsCache::latest() const {
  return stats_.is_whole() && client_.is_connected() ? &stats_ : nullptr;
}

}  // namespace maglb
