#include "lib/flow/nat_enquiry.h"

#include <chrono>
#include <thread>

#include "lib/flow/nat_table.h"

namespace maglb {

std::optional<NatSession> answer_of(const NatTable& table, const NatQuestion& question, Time now) {
  const NatSession* const session =
      question.is_reply ? table.look_reply(question.key, Tick::at(now))
                        : table.look(question.key, question.service_id, question.digest, Tick::at(now));
  return session == nullptr ? std::nullopt : std::optional(*session);
}

Result<std::optional<NatSession>> NatEnquiry::ask(const NatQuestion& question, Duration patience) {
  constexpr auto kNap = std::chrono::microseconds(50);
  question_ = question;
  // Pairs with the acquire in give_answer().
  state_.store(State::kAsked, std::memory_order_release);
  const Time deadline = monotonic_now() + patience;
  while (state_.load(std::memory_order_acquire) != State::kAnswered) {
    State asked = State::kAsked;
    if (monotonic_now() >= deadline && state_.compare_exchange_strong(asked, State::kNone)) {
      return fail(ErrorKind::kUnavailable, "the worker does not answer");
    }
    std::this_thread::sleep_for(kNap);
  }
  const std::optional<NatSession> answer = answer_;
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
