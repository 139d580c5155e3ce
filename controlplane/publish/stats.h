// The dataplane's counters as last heard: asked every second (which also keeps the lease alive) and when
// a reader wants them fresh. A reader never waits longer than kPatience, so that the API answers while
// the dataplane is busy; it then gets what was heard last.
//
// Threads: the io_context's one.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <list>

#include "controlplane/publish/client.h"
#include "controlplane/publish/heard_stats.h"
#include "lib/ipc/messages.h"

namespace maglb {

class StatsCache {
 public:
  static constexpr std::chrono::milliseconds kPeriod{1000};
  static constexpr std::chrono::milliseconds kFresh{20};
  static constexpr std::chrono::milliseconds kPatience{25};

  StatsCache(boost::asio::io_context& io, DataplaneClient& client);

  void start();
  // What was heard is of another connection: drops it and asks anew.
  void forget();
  // Calls back, never at once, when latest() is at most kFresh old or kPatience is over.
  void refresh(std::function<void()> then);
  // Nothing while the dataplane is not connected, or before its first answer.
  const HeardStats* latest() const;

 private:
  struct Reader {
    std::unique_ptr<boost::asio::steady_timer> timer;
    std::function<void()> then;
  };

  void tick();
  void ask();
  void ask_for_part();
  void take(Result<ipc::Envelope> reply);
  void release_readers();

  boost::asio::io_context& io_;
  DataplaneClient& client_;
  boost::asio::steady_timer timer_;
  HeardStats stats_;
  std::chrono::steady_clock::time_point heard_{};
  bool asked_ = false;
  std::list<Reader> readers_;
};

}  // namespace maglb
