// The sources of all pools, and what becomes of what they say: lists go to the reconciler, conditions to the
// operator.
//
//   file, dns, etcd --Found--> [kMergeTime] --changed lists--> members (Reconciler::set_members)
//                   --error--> event, log, condition           (the members stay)
//
// Invariants:
//   1. A source whose part of the configuration did not change goes on through set_pools().
//   2. No source empties a pool: a list without members is an error. The last known members stay through
//      errors, however long.
//   3. A condition (good, an error of one kind, good with complaints) makes one event when it begins, not one
//      an attempt. That members changed is an event of the reconciler.
//   4. `members` and `condition` are called from the io_context, never from inside set_pools().
//
// Threads: the io_context's one.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "controlplane/discovery/member_source.h"
#include "controlplane/events/event_log.h"
#include "lib/config/service/model.h"

namespace maglb {

class Discovery {
 public:
  static constexpr std::chrono::milliseconds kMergeTime{50};

  // The lists that were told since the last call, by pool; perhaps the same as before.
  using OnMembers = std::function<void(const std::map<std::string, Members>&)>;
  // What is wrong with a pool's source now; empty: nothing.
  using OnCondition = std::function<void(const std::string& pool, const std::string& text)>;

  Discovery(boost::asio::io_context& io, EventLog& events, OnMembers members, OnCondition condition);
  ~Discovery();
  Discovery(const Discovery&) = delete;
  Discovery& operator=(const Discovery&) = delete;

  // Starts and stops sources until they are those of the config. Without pools: stops all.
  void set_pools(const ServiceConfig& config);

 private:
  struct Entry {
    BackendSource config;
    std::shared_ptr<MemberSource> source;
    std::optional<ErrorKind> error;
    std::string complaint;
  };

  void begin(const std::string& pool, const BackendSource& config);
  void told(const std::string& pool, Result<Found> result);
  void failed(const std::string& pool, Entry& entry, const Error& error);
  void good(const std::string& pool, Entry& entry, const std::string& complaint);
  void hand_on();

  EventLog& events_;
  const OnMembers members_;
  const OnCondition condition_;
  boost::asio::io_context& io_;
  boost::asio::steady_timer timer_;
  std::map<std::string, Entry> entries_;  // by pool
  std::map<std::string, Members> waiting_;
  std::shared_ptr<Discovery*> self_;  // empty for callbacks that come after the end
};

}  // namespace maglb
