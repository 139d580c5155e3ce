#include "controlplane/discovery/etcd_source.h"

#include <fmt/format.h>

#include <boost/asio/post.hpp>
#include <utility>

namespace maglb {
namespace {

Error too_many() {
  return {ErrorKind::kInvalid,
          fmt::format("more than {} keys, or {} bytes of them", kMaxPoolBackends, kMaxSourceBytes)};
}

}  // namespace

EtcdSource::EtcdSource(boost::asio::io_context& io, const BackendSource& config, Listener listener)
    : io_(io),
      config_(config),
      listener_(std::move(listener)),
      timer_(io),
      engine_(std::make_shared<CurlEngine>(io)) {}

void EtcdSource::start() {
  stopped_ = false;
  in({}, &EtcdSource::look_up);
}

void EtcdSource::stop() {
  stopped_ = true;
  timer_.cancel();
  resolver_.reset();
  call_.reset();
}

void EtcdSource::in(std::chrono::milliseconds delay, void (EtcdSource::*step)()) {
  timer_.expires_after(delay);
  timer_.async_wait([weak = weak_from_this(), step](const boost::system::error_code& error) {
    const auto self = weak.lock();
    if (!error && self && !self->stopped_) {
      (self.get()->*step)();
    }
  });
}

void EtcdSource::look_up() {
  call_.reset();
  auto host = host_of(endpoint());
  auto resolver = host ? Resolver::make(io_, {}) : tl::unexpected<Error>(host.error());
  if (!resolver) {
    return failed(std::move(resolver).error());
  }
  resolver_ = std::move(*resolver);
  resolver_->find_addresses(*host, [weak = weak_from_this()](Result<std::vector<IpAddress>> addresses) {
    const auto self = weak.lock();
    if (self && !self->stopped_) {
      self->looked_up(std::move(addresses));
    }
  });
}

void EtcdSource::looked_up(Result<std::vector<IpAddress>> addresses) {
  resolver_.reset();
  if (!addresses) {
    return failed(std::move(addresses).error());
  }
  const size_t round = turn_ / config_.endpoints.size();
  at_ = {endpoint(), (*addresses)[round % addresses->size()], config_.ca_file, config_.cert_file,
         config_.key_file};
  range();
}

void EtcdSource::call(const std::string& path, std::string body, std::chrono::milliseconds timeout,
                      EtcdCall::Piece piece, void (EtcdSource::*ended)(Result<void>)) {
  received_.clear();
  call_ = std::make_unique<EtcdCall>(engine_);
  Result<void> started = call_->start(at_, path, std::move(body), timeout, std::move(piece),
                                      [weak = weak_from_this(), ended](Result<void> result) {
                                        const auto self = weak.lock();
                                        if (self && !self->stopped_) {
                                          (self.get()->*ended)(std::move(result));
                                        }
                                      });
  if (!started) {
    failed(std::move(started).error());
  }
}

void EtcdSource::range() {
  call(
      "/v3/kv/range", etcd::range_request(config_.prefix, kMaxPoolBackends), kRangeTime,
      [this](std::string_view piece) {
        received_.append(piece);
        return received_.size() <= kMaxSourceBytes;
      },
      &EtcdSource::range_ended);
}

void EtcdSource::range_ended(Result<void> result) {
  const std::string body = std::exchange(received_, {});
  if (!result) {
    return failed(std::move(result).error());
  }
  Result<etcd::Range> range = etcd::read_range(body);
  if (!range) {
    return failed(std::move(range).error());
  }
  pairs_ = std::move(range->pairs);
  revision_ = range->revision;
  if (too_much()) {
    return failed(too_many());
  }
  failures_ = 0;
  tell();
  watch();
}

void EtcdSource::watch() {
  call(
      "/v3/watch", etcd::watch_request(config_.prefix, revision_ + 1), kWatchTime,
      [this](std::string_view piece) { return watch_piece(piece); }, &EtcdSource::watch_ended);
}

// Called by libcurl: what may end the call comes later.
bool EtcdSource::watch_piece(std::string_view piece) {
  received_.append(piece);
  if (received_.size() > kMaxSourceBytes) {
    return false;
  }
  if (piece.find('\n') != std::string_view::npos && !std::exchange(reading_, true)) {
    boost::asio::post(io_, [weak = weak_from_this()] {
      const auto self = weak.lock();
      if (self && !self->stopped_) {
        self->read_lines();
      }
    });
  }
  return true;
}

void EtcdSource::read_lines() {
  reading_ = false;
  const std::string received = std::exchange(received_, {});
  size_t begin = 0;
  for (size_t end = received.find('\n'); end != std::string::npos; end = received.find('\n', begin)) {
    if (!take_line(std::string_view(received).substr(begin, end - begin))) {
      return;
    }
    begin = end + 1;
  }
  received_ = received.substr(begin);
  // Once for all that came together: a rolling deployment is many lines.
  if (!std::exchange(changed_, false)) {
    return;
  }
  if (too_much()) {
    call_.reset();
    return failed(too_many());
  }
  tell();
}

// False when the watch is over.
bool EtcdSource::take_line(std::string_view line) {
  Result<etcd::Watched> watched = etcd::read_watched(line);
  if (!watched || watched->ended) {
    // Compacted, or confused: the range tells more, and the error if there is one.
    ++turn_;
    call_.reset();
    in(kPause, &EtcdSource::look_up);
    return false;
  }
  for (etcd::Change& change : watched->changes) {
    if (change.is_delete) {
      pairs_.erase(change.key);
    } else {
      pairs_[change.key] = std::move(change.value);
    }
  }
  changed_ = changed_ || !watched->changes.empty();
  return true;
}

void EtcdSource::watch_ended(Result<void>) {
  ++turn_;
  in(kPause, &EtcdSource::look_up);
}

void EtcdSource::failed(Error error) {
  const std::string name = endpoint();
  ++turn_;
  ++failures_;
  const bool all = failures_ >= config_.endpoints.size();
  in(all && turn_ % config_.endpoints.size() == 0 ? kErrorWait : kPause, &EtcdSource::look_up);
  if (all) {
    listener_(tl::unexpected<Error>(std::move(error).within(name)));
  }
}

bool EtcdSource::too_much() const {
  size_t bytes = 0;
  for (const auto& [key, value] : pairs_) {
    bytes += key.size() + value.size();
  }
  return pairs_.size() > kMaxPoolBackends || bytes > kMaxSourceBytes;
}

void EtcdSource::tell() {
  listener_(etcd::members_of(pairs_, config_.weight));
}

}  // namespace maglb
