// Brings the dataplane to the state that is wanted, whatever it runs: the difference when it runs what
// was sent last, the whole state after a connection, a restart or a base mismatch.
//
// Invariants:
//   1. At most one Apply is under way; states that become wanted meanwhile are merged, the last wins.
//   2. What is sent on top of a base was computed against exactly that base.
//   3. A state that was refused is not sent again before kRetryAfterRefusal, unless another is wanted.
//
// Threads: the io_context's one.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <string>

#include "controlplane/publish/client.h"
#include "controlplane/publish/latency_histogram.h"
#include "lib/snapshot/build/compile.h"

namespace maglb {

// A whole forwarding state and its number. Pools are shared between states.
struct NumberedState {
  uint64_t generation = 0;
  Compiled compiled;
};

class Publisher {
 public:
  static constexpr std::chrono::milliseconds kApplyTimeout{30000};
  static constexpr std::chrono::milliseconds kRetryAfterRefusal{1000};

  Publisher(boost::asio::io_context& io, DataplaneClient& client);

  // Called when the dataplane took a generation, `refusal` empty, or refused it.
  using OnOutcome = std::function<void(uint64_t generation, const std::string& refusal)>;
  void tell(OnOutcome on_outcome) { on_outcome_ = std::move(on_outcome); }

  void want(std::shared_ptr<const NumberedState> state);
  // To be called when the client's connection or lease changed.
  void on_connection_change();

  // Calls back once the dataplane runs `generation` or a later one, or refused it, or after `timeout`,
  // whichever comes first; soon when there is no dataplane to wait for.
  void when_settled(uint64_t generation, std::chrono::milliseconds timeout, std::function<void()> then);

  // The dataplane runs the wanted state.
  bool is_current() const;
  uint64_t running_generation() const { return running_ ? running_->generation : 0; }
  // Whether the dataplane, as it said in its Hello, has room for so many. True while it is away.
  // kConflict and which limit, otherwise.
  Result<void> has_room_for(size_t services, size_t pools, size_t backends) const;
  // The dataplane refused this generation.
  bool refused(uint64_t generation) const { return generation != 0 && refused_generation_ == generation; }
  // Why the last state was refused; empty when it was not.
  const std::string& refusal() const { return refusal_; }
  uint64_t applies() const { return applies_; }
  uint64_t refusals() const { return refusals_; }
  // From sending a state until the workers run it.
  const LatencyHistogram& latency() const { return latency_; }

 private:
  struct Waiter {
    uint64_t generation;
    std::unique_ptr<boost::asio::steady_timer> timer;
    std::function<void()> then;
  };

  void publish();
  void take_reply(const std::shared_ptr<const NumberedState>& sent, const Result<ipc::Envelope>& reply);
  void take_refusal(uint64_t generation, std::string why);
  void wake_settled();
  bool can_publish() const;

  boost::asio::io_context& io_;
  DataplaneClient& client_;
  boost::asio::steady_timer retry_;
  std::shared_ptr<const NumberedState> wanted_;
  std::shared_ptr<const NumberedState> running_;  // what the dataplane confirmed; empty: not known
  uint64_t running_boot_id_ = 0;                  // of the dataplane that confirmed it
  uint64_t refused_generation_ = 0;
  std::string refusal_;
  OnOutcome on_outcome_ = [](uint64_t, const std::string&) {};
  bool under_way_ = false;
  std::list<Waiter> waiters_;
  uint64_t applies_ = 0;
  uint64_t refusals_ = 0;
  std::chrono::steady_clock::time_point sent_{};
  LatencyHistogram latency_;
};

}  // namespace maglb
