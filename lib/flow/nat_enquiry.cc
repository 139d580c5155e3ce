#include "lib/flow/nat_enquiry.h"

#include <chrono>
#include <thread>

#include "lib/flow/nat_table.h"

namespace maglb {

NatAnswer answer_of(const NatTable& table, const NatQuestion& question, Time now) {
  const FlowKey& key = question.key;
  const Tick tick = Tick::at(now);
  const NatSession* const session = question.is_reply
                                        ? table.look_reply(key, tick)
                                        : table.look(key, question.service_id, question.digest, tick);
  return {session == nullptr ? std::nullopt : std::optional(*session),
          question.is_reply || table.has_port(key.protocol, key.source.is_v4(), question.digest)};
}

Result<NatAnswer> NatEnquiry::ask(const NatQuestion& question, Duration patience,
                                  const std::function<void()>& wake) {
  constexpr auto kNap = std::chrono::microseconds(50);
  if (monotonic_now() < rests_until_) {
    return fail(ErrorKind::kUnavailable, "the worker did not answer lately");
  }
  question_ = question;
  // Pairs with the acquire in give_answer().
  state_.store(State::kAsked, std::memory_order_release);
  wake();
  const Time deadline = monotonic_now() + patience;
  while (state_.load(std::memory_order_acquire) != State::kAnswered) {
    State asked = State::kAsked;
    if (monotonic_now() >= deadline && state_.compare_exchange_strong(asked, State::kNone)) {
      rests_until_ = monotonic_now() + kRest;
      return fail(ErrorKind::kUnavailable, "the worker does not answer");
    }
    std::this_thread::sleep_for(kNap);
  }
  const NatAnswer answer = answer_;
  state_.store(State::kNone, std::memory_order_relaxed);
  return answer;
}

void NatEnquiry::give_answer(const NatTable& table, Time now) {
  State asked = State::kAsked;
  if (!state_.compare_exchange_strong(asked, State::kAnswering, std::memory_order_acquire)) {
    return;  // the asker has given up
  }
  answer_ = answer_of(table, question_, now);
  state_.store(State::kAnswered, std::memory_order_release);
}

}  // namespace maglb
