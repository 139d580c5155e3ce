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
  stats_.reset();
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
  ipc::Envelope envelope;
  envelope.mutable_stats_request();
  client_.request(std::move(envelope), kReplyTimeout, [this](Result<ipc::Envelope> reply) {
    asked_ = false;
    if (reply && reply->has_stats()) {
      stats_ = std::move(*reply->mutable_stats());
      heard_ = std::chrono::steady_clock::now();
    } else if (!client_.is_connected()) {
      stats_.reset();
    }
    release_readers();
  });
}

void StatsCache::refresh(std::function<void()> then) {
  const bool fresh = stats_ && std::chrono::steady_clock::now() - heard_ <= kFresh;
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

const ipc::Stats* StatsCache::latest() const {
  return stats_ && client_.is_connected() ? &*stats_ : nullptr;
}

}  // namespace maglb
