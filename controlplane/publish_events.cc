#include "controlplane/publish_events.h"

#include <fmt/format.h>

namespace maglb {

PublishEvents::PublishEvents(EventLog& log) : log_(log) {
  // For as long as the log: both are the daemon's.
  log_.subscribe([this](const Event& event) {
    if (event.kind != EventKind::kPublish) {
      more_ += cause_.empty() ? 0 : 1;
      cause_ =
          event.pool.empty() ? event.text : fmt::format("{}/{} {}", event.pool, event.backend, event.text);
    }
  });
}

// A refused state is tried each second: told once.
void PublishEvents::on_outcome(uint64_t generation, const std::string& refusal) {
  if (!refusal.empty() && refusal == last_refusal_) {
    return;
  }
  last_refusal_ = refusal;
  const std::string because = cause_.empty() ? "a new connection"
                              : more_ == 0   ? cause_
                                             : fmt::format("{}, and {} more", cause_, more_);
  cause_.clear();
  more_ = 0;
  log_.record(EventKind::kPublish, "", "",
              refusal.empty()
                  ? fmt::format("generation {} runs, because: {}", generation, because)
                  : fmt::format("generation {} refused by the dataplane: {}", generation, refusal));
}

void PublishEvents::on_connection(bool connected, const std::string& what) {
  if (connected != connected_) {
    connected_ = connected;
    log_.record(EventKind::kDataplane, "", "", fmt::format("{}: {}", connected ? "connected" : "gone", what));
  }
}

}  // namespace maglb
