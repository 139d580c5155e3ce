#include "controlplane/api/side_thread.h"

#include <sys/resource.h>
#include <unistd.h>

#include <boost/asio/post.hpp>
#include <string>
#include <system_error>
#include <utility>

namespace maglb {
namespace {

// Of Linux's threads each has its own: probes go first where there is one core.
constexpr int kNiceness = 10;
constexpr unsigned kRetryAfterSeconds = 2;

}  // namespace

SideThread::~SideThread() {
  if (thread_.joinable()) {
    thread_.join();
  }
}

void SideThread::run(Job job, Respond respond) {
  if (waiting_.size() >= kMostWaiting) {
    ApiResponse busy =
        error_response(503, "unavailable", "other documents are being compared: ask again in a moment");
    busy.retry_after = kRetryAfterSeconds;
    return respond(std::move(busy));
  }
  waiting_.push_back({std::move(job), std::move(respond)});
  start_next();
}

void SideThread::start_next() {
  if (busy_ || waiting_.empty()) {
    return;
  }
  busy_ = true;
  Waiting next = std::move(waiting_.front());
  waiting_.pop_front();
  if (thread_.joinable()) {
    thread_.join();  // it has posted, and ends
  }
  const Respond respond = next.respond;
  try {
    begin(std::move(next));
  } catch (const std::system_error& error) {
    busy_ = false;
    respond(error_response(503, "unavailable", std::string("there is no thread to be had: ") + error.what()));
    boost::asio::post(io_, [this] { start_next(); });
  }
}

void SideThread::begin(Waiting next) {
  thread_ = std::thread([this, next = std::move(next)]() mutable {
    (void)setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kNiceness);
    ApiResponse made = next.job();
    next.job = nullptr;
    boost::asio::post(io_, [this, made = std::move(made), respond = std::move(next.respond)]() mutable {
      busy_ = false;
      respond(std::move(made));
      start_next();
    });
  });
}

}  // namespace maglb
