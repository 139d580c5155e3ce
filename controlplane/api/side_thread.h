// A thread for answers that take seconds to make, as the tables of a document that is only looked at: the
// event loop goes on meanwhile. One job at a time, at low priority; few wait, more are refused.
//
// A job owns what it needs, and touches nothing of the event loop's.
//
// Threads: run() and the destructor on the io_context's one.
#pragma once

#include <boost/asio/io_context.hpp>
#include <deque>
#include <functional>
#include <thread>

#include "controlplane/api/message.h"

namespace maglb {

class SideThread {
 public:
  using Job = std::function<ApiResponse()>;

  static constexpr size_t kMostWaiting = 4;

  explicit SideThread(boost::asio::io_context& io) : io_(io) {}
  // Waits for the job under way; nobody is told any more.
  ~SideThread();
  SideThread(const SideThread&) = delete;
  SideThread& operator=(const SideThread&) = delete;

  // Answers with what `job` makes, or at once, with 503 and when to ask again, that too many wait.
  void run(Job job, Respond respond);

 private:
  struct Waiting {
    Job job;
    Respond respond;
  };

  void start_next();
  void begin(Waiting next);

  boost::asio::io_context& io_;
  std::deque<Waiting> waiting_;
  std::thread thread_;
  bool busy_ = false;
};

}  // namespace maglb
