#include "controlplane/publish/publisher.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <boost/asio/post.hpp>
#include <tuple>

#include "lib/config/service/model.h"
#include "lib/ipc/convert.h"
#include "lib/ipc/frame.h"

namespace maglb {

// A whole state is one frame: two bytes a slot, and room for the names of 65,536 backends and services.
static_assert(2 * kMaxSlots + (size_t{64} << 20) < kMaxFrameSize);

Publisher::Publisher(boost::asio::io_context& io, DataplaneClient& client)
    : io_(io), client_(client), retry_(io) {}

bool Publisher::can_publish() const {
  return client_.is_connected() && client_.has_lease();
}

bool Publisher::is_current() const {
  return can_publish() && wanted_ && running_ && running_->generation == wanted_->generation;
}

void Publisher::want(std::shared_ptr<const NumberedState> state) {
  wanted_ = std::move(state);
  publish();
}

void Publisher::on_connection_change() {
  // A dataplane that was started anew, or got another's state meanwhile, gets everything.
  if (!can_publish() || (running_ && (client_.hello().boot_id() != running_boot_id_ ||
                                      client_.hello().generation() != running_->generation))) {
    running_.reset();
  }
  refused_generation_ = 0;
  publish();
  wake_settled();
}

void Publisher::publish() {
  if (under_way_ || !can_publish() || !wanted_ || is_current()) {
    return;
  }
  if (wanted_->generation == refused_generation_) {
    return;  // the retry timer is set
  }
  ipc::Envelope envelope;
  const Compiled* base = running_ ? &running_->compiled : nullptr;
  to_message(difference(base, running_generation(), wanted_->compiled, wanted_->generation),
             *envelope.mutable_apply());
  under_way_ = true;
  ++applies_;
  sent_ = std::chrono::steady_clock::now();
  client_.request(std::move(envelope), kApplyTimeout,
                  [this, sent = wanted_](const Result<ipc::Envelope>& reply) { take_reply(sent, reply); });
}

void Publisher::take_reply(const std::shared_ptr<const NumberedState>& sent,
                           const Result<ipc::Envelope>& reply) {
  under_way_ = false;
  if (!reply) {
    // Whether it was applied is unknown, or the lease is gone: the next one is a whole state.
    running_.reset();
    if (client_.is_connected()) {
      take_refusal(sent->generation, reply.error().message);
      client_.renew_lease();
    }
    return;
  }
  const ipc::ApplyReply& answer = reply->apply_reply();
  if (answer.base_mismatch()) {
    const bool was_whole = running_ == nullptr;
    running_.reset();
    if (was_whole) {
      return take_refusal(sent->generation, "the dataplane wants a base for a whole state");
    }
    spdlog::info("dataplane: runs generation {}, sending it the whole state", answer.generation());
  } else if (!reply->has_apply_reply() || !answer.error().empty()) {
    return take_refusal(sent->generation,
                        reply->has_apply_reply() ? answer.error() : "Apply was answered with something else");
  } else {
    latency_.add(std::chrono::steady_clock::now() - sent_);
    running_ = sent;
    running_boot_id_ = client_.hello().boot_id();
    refusal_.clear();
    refused_generation_ = 0;
    spdlog::debug("dataplane: runs generation {}", sent->generation);
    on_outcome_(sent->generation, "");
  }
  publish();
  wake_settled();
}

// What became wanted meanwhile is another state: it does not wait for the retry.
void Publisher::take_refusal(uint64_t generation, std::string why) {
  ++refusals_;
  refused_generation_ = generation;
  refusal_ = std::move(why);
  spdlog::error("dataplane: refused generation {}: {}", refused_generation_, refusal_);
  on_outcome_(generation, refusal_);
  retry_.expires_after(kRetryAfterRefusal);
  retry_.async_wait([this](const boost::system::error_code& error) {
    if (!error) {
      refused_generation_ = 0;
      publish();
    }
  });
  publish();
  wake_settled();
}

Result<void> Publisher::has_room_for(size_t services, size_t pools, size_t backends) const {
  if (!client_.is_connected()) {
    return {};
  }
  const ipc::HelloReply& hello = client_.hello();
  const std::tuple<const char*, size_t, uint32_t> wishes[] = {{"services", services, hello.max_services()},
                                                              {"pools", pools, hello.max_pools()},
                                                              {"backends", backends, hello.max_backends()}};
  for (const auto& [what, wanted, limit] : wishes) {
    if (limit != 0 && wanted > limit) {
      return fail(ErrorKind::kConflict, fmt::format("{} {}, and the dataplane has room for {} (limits in its "
                                                    "dataplane.yaml)",
                                                    wanted, what, limit));
    }
  }
  return {};
}

void Publisher::when_settled(uint64_t generation, std::chrono::milliseconds timeout,
                             std::function<void()> then) {
  waiters_.push_back(
      {generation, std::make_unique<boost::asio::steady_timer>(io_, timeout), std::move(then)});
  const auto at = std::prev(waiters_.end());
  at->timer->async_wait([this, at](const boost::system::error_code& error) {
    if (!error) {
      const auto call = std::move(at->then);
      waiters_.erase(at);
      call();
    }
  });
  wake_settled();
}

void Publisher::wake_settled() {
  for (auto at = waiters_.begin(); at != waiters_.end();) {
    const bool settled =
        !can_publish() || running_generation() >= at->generation || refused_generation_ >= at->generation;
    if (settled && at->timer->cancel() == 1) {
      boost::asio::post(io_, std::move(at->then));
      at = waiters_.erase(at);
    } else {
      ++at;
    }
  }
}

}  // namespace maglb
