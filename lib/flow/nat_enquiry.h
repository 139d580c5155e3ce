// A question about the nat sessions of a worker, who alone may look at them, and its answer.
//
//     asker:   kNone -> kAsked                            waits, for a bounded time
//     worker:  kAsked -> kAnswering -> kAnswered          between two bursts; never waits
//     asker:   kAnswered -> kNone; or kAsked -> kNone when it has waited enough
//
// Invariants:
//   1. Question and answer are the asker's in kNone and kAnswered, the worker's in kAnswering, and nobody's
//   in
//      kAsked.
//   2. A worker that nobody asks reads one word a round, which nobody writes meanwhile.
//   3. Asking changes nothing of the sessions.
//
// Threads: one asker, one worker.
#pragma once

#include <atomic>
#include <functional>
#include <optional>

#include "lib/base/clock.h"
#include "lib/base/error.h"
#include "lib/flow/flow_digest.h"
#include "lib/flow/nat_session.h"
#include "lib/net/flow_key.h"

namespace maglb {

class NatTable;

struct NatQuestion {
  FlowKey key;              // of a packet
  bool is_reply = false;    // from the backend to the nat address; else from the client
  uint32_t service_id = 0;  // of the client's flow, as is the digest
  FlowDigest digest;
};

struct NatAnswer {
  std::optional<NatSession> session;  // that the packet belongs to
  bool has_port = true;               // a session that the client's packet opened would get one
};

NatAnswer answer_of(const NatTable& table, const NatQuestion& question, Time now);

class alignas(64) NatEnquiry {
 public:
  NatEnquiry() = default;
  NatEnquiry(const NatEnquiry&) = delete;
  NatEnquiry& operator=(const NatEnquiry&) = delete;

  // Who does not answer is not asked again for so long: whatever is asked for, the asker loses little time.
  static constexpr Duration kRest = std::chrono::seconds(1);

  // The asker's. `wake` is called when the question is there. kUnavailable: the worker did not answer for
  // that long, or lately.
  Result<NatAnswer> ask(const NatQuestion& question, Duration patience, const std::function<void()>& wake);

  // The worker's, once a round.
  void answer(const NatTable& table, Time now) {
    if (state_.load(std::memory_order_relaxed) == State::kAsked) [[unlikely]] {
      give_answer(table, now);
    }
  }

 private:
  enum class State : uint32_t { kNone, kAsked, kAnswering, kAnswered };

  void give_answer(const NatTable& table, Time now);

  std::atomic<State> state_{State::kNone};
  NatQuestion question_;
  NatAnswer answer_;
  Time rests_until_{};  // the asker's
};

}  // namespace maglb
