#include "controlplane/event_keeper.h"

#include <spdlog/spdlog.h>

#include <algorithm>

namespace maglb {

EventKeeper::EventKeeper(boost::asio::io_context& io, EventLog& log, Store& store)
    : log_(log), store_(store), timer_(io) {
  auto kept = store_.events();
  const auto promised = store_.promised_events();
  if (!kept || !promised) {
    spdlog::error("events: {}", kept ? promised.error().message : kept.error().message);
  }
  promised_ = last_ = promised.value_or(0);
  log_.restore(kept ? std::move(*kept) : std::vector<Event>(), promised_ + 1);
  subscription_ = log_.subscribe([this](const Event& event) { take(event); });
}

// What is left of the last second.
EventKeeper::~EventKeeper() {
  log_.unsubscribe(subscription_);
  save(0);
}

void EventKeeper::take(const Event& event) {
  last_ = event.number;
  if (unsaved_.size() == kMaxUnsaved) {
    unsaved_.erase(unsaved_.begin());
  }
  unsaved_.push_back(event);
  if (last_ > promised_) {
    save(kPromise);
  }
  if (!waiting_ && !unsaved_.empty()) {
    save_later();
  }
}

void EventKeeper::save(uint64_t promise) {
  const uint64_t promised = std::max(promised_, last_ + promise);
  if (const auto saved = store_.save_events(unsaved_, promised); !saved) {
    spdlog::error("events were not stored: {}", saved.error().message);
    return;
  }
  promised_ = promised;
  unsaved_.clear();
}

void EventKeeper::save_later() {
  waiting_ = true;
  timer_.expires_after(kInterval);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (error) {
      return;
    }
    waiting_ = false;
    save(0);
    if (!unsaved_.empty()) {
      save_later();
    }
  });
}

}  // namespace maglb
