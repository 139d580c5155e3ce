// One attempt of a probe at a time: what every probe type offers the prober.
//
// An object that has finished can be started again, for another target of its type; one that was cancelled
// cannot be, because the answers to its operations are still to come. That is also why it is held by
// shared_ptr. It has no timer: its owner calls cancel().
//
// Every socket of an attempt goes to target.connect_to and carries target.mark, set before anything is
// sent (probe_socket.h).
//
// Threads: the io_context's one.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "controlplane/probe/target.h"

namespace maglb {

enum class Outcome : uint8_t {
  kSuccess,
  kFailure,
  kSkipped,  // refused on our side: says nothing about the target
};

struct AttemptResult {
  Outcome outcome = Outcome::kFailure;
  std::string reason;  // "connected", "http status 200", "connect: connection refused"
};

class Attempt {
 public:
  using Done = std::function<void(AttemptResult)>;

  virtual ~Attempt() = default;

  // `done` is called once from the io_context, never from inside start(), unless cancel() comes first.
  // `target` must live until then. REQUIRES: not under way, never cancelled.
  virtual void start(const ProbeTarget& target, Done done) = 0;

  // Drops all that is under way; `done` will not be called. Does nothing when no attempt is under way.
  virtual void cancel() = 0;

  // What it waits for, for the text of a timeout: "connecting", "sending the request", ...
  virtual std::string_view stage() const = 0;
};

}  // namespace maglb
