#include "dataplane/idle.h"

#include <time.h>

namespace maglb {
namespace {

// Less than a second, which all are.
timespec timespec_of(Duration duration) {
  return {0, static_cast<long>(duration.count())};
}

}  // namespace

void IdleWait::watch(std::span<const RxQueue> queues) {
  sockets_.clear();
  for (const RxQueue& queue : queues) {
    if (queue.socket >= 0) {
      sockets_.push_back({queue.socket, POLLIN, 0});
    }
  }
  longest_ = !queues.empty() && sockets_.size() == queues.size() ? kLongest : kNap;
}

void IdleWait::sleep() {
  const timespec longest = timespec_of(longest_);
  ppoll(sockets_.data(), sockets_.size(), &longest, nullptr);
}

void IdleWait::sleep_regardless() {
  const timespec longest = timespec_of(kLongest);
  nanosleep(&longest, nullptr);
}

}  // namespace maglb
