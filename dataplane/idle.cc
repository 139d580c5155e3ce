#include "dataplane/idle.h"

#include <time.h>
#include <unistd.h>

namespace maglb {
namespace {

// Less than a second, which all are.
timespec timespec_of(Duration duration) {
  return {0, static_cast<long>(duration.count())};
}

}  // namespace

void IdleWait::watch(std::span<const RxQueue> queues, int wake_fd) {
  sockets_.clear();
  for (const RxQueue& queue : queues) {
    if (queue.socket >= 0) {
      sockets_.push_back({queue.socket, POLLIN, 0});
    }
  }
  longest_ = !queues.empty() && sockets_.size() == queues.size() ? kLongest : kNap;
  sockets_.push_back({wake_fd, POLLIN, 0});
}

void IdleWait::sleep() {
  const timespec longest = timespec_of(longest_);
  const int ready = ppoll(sockets_.data(), sockets_.size(), &longest, nullptr);
  if (ready > 0 && (sockets_.back().revents & POLLIN) != 0) {
    uint64_t times = 0;
    [[maybe_unused]] const ssize_t got = read(sockets_.back().fd, &times, sizeof times);
  }
}

void IdleWait::sleep_regardless() {
  const timespec longest = timespec_of(kLongest);
  nanosleep(&longest, nullptr);
}

}  // namespace maglb
