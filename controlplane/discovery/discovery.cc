#include "controlplane/discovery/discovery.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <boost/asio/post.hpp>
#include <utility>

#include "lib/config/service/write.h"

namespace maglb {

Discovery::Discovery(boost::asio::io_context& io, EventLog& events, OnMembers members, OnCondition condition)
    : events_(events),
      members_(std::move(members)),
      condition_(std::move(condition)),
      io_(io),
      timer_(io),
      self_(std::make_shared<Discovery*>(this)) {}

Discovery::~Discovery() {
  for (auto& [pool, entry] : entries_) {
    entry.source->stop();
  }
}

void Discovery::set_pools(const ServiceConfig& config) {
  std::map<std::string, const BackendSource*> wanted;
  for (const PoolConfig& pool : config.pools) {
    if (pool.source.type != SourceType::kStatic) {
      wanted[pool.name] = &pool.source;
    }
  }
  for (auto at = entries_.begin(); at != entries_.end();) {
    const auto same = wanted.find(at->first);
    if (same != wanted.end() && *same->second == at->second.config) {
      wanted.erase(same);
      ++at;
      continue;
    }
    at->second.source->stop();
    waiting_.erase(at->first);
    boost::asio::post(io_, [weak = std::weak_ptr(self_), pool = at->first] {
      const auto self = weak.lock();
      if (self && !(*self)->entries_.contains(pool)) {
        (*self)->condition_(pool, "");
      }
    });
    at = entries_.erase(at);
  }
  for (const auto& [pool, source] : wanted) {
    begin(pool, *source);
  }
}

void Discovery::begin(const std::string& pool, const BackendSource& config) {
  Entry& entry = entries_[pool];
  entry.config = config;
  entry.source =
      make_source(io_, config, [this, pool](Result<Found> result) { told(pool, std::move(result)); });
  entry.source->start();
}

void Discovery::told(const std::string& pool, Result<Found> result) {
  Entry& entry = entries_.at(pool);
  if (result && result->members.empty()) {
    result = fail(ErrorKind::kNotFound,
                  result->complaint.empty() ? "it names nobody" : "it names nobody: " + result->complaint);
  }
  if (!result) {
    return failed(pool, entry, result.error());
  }
  good(pool, entry, result->complaint);
  if (waiting_.empty()) {
    timer_.expires_after(kMergeTime);
    timer_.async_wait([weak = std::weak_ptr(self_)](const boost::system::error_code& error) {
      const auto self = weak.lock();
      if (!error && self) {
        (*self)->hand_on();
      }
    });
  }
  waiting_[pool] = std::move(result->members);
}

void Discovery::failed(const std::string& pool, Entry& entry, const Error& error) {
  const std::string text = fmt::format("source ({}): {}; the last known members stay",
                                       to_string(entry.config.type), error.message);
  if (entry.error != error.kind) {
    spdlog::error("pool {}: {}", pool, text);
    events_.record(EventKind::kMembers, pool, "", text);
  }
  entry.error = error.kind;
  entry.complaint.clear();
  condition_(pool, text);
}

void Discovery::good(const std::string& pool, Entry& entry, const std::string& complaint) {
  const std::string text =
      complaint.empty() ? ""
                        : fmt::format("source ({}): left out: {}", to_string(entry.config.type), complaint);
  if (!complaint.empty() && complaint != entry.complaint) {
    spdlog::warn("pool {}: {}", pool, text);
    events_.record(EventKind::kMembers, pool, "", text);
  } else if (complaint.empty() && (entry.error || !entry.complaint.empty())) {
    const std::string back = fmt::format("source ({}): good again", to_string(entry.config.type));
    spdlog::info("pool {}: {}", pool, back);
    events_.record(EventKind::kMembers, pool, "", back);
  }
  entry.error.reset();
  entry.complaint = complaint;
  condition_(pool, text);
}

void Discovery::hand_on() {
  const auto changed = std::exchange(waiting_, {});
  if (!changed.empty()) {
    members_(changed);
  }
}

}  // namespace maglb
