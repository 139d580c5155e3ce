#include "lib/maglev/turns.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace maglb::maglev {
namespace {

// Where one turn in so many members is usual, a branch is predicted well and does less.
constexpr uint64_t kRare = 16;

}  // namespace

Turns::Turns(std::vector<uint32_t> weights)
    : weights_(std::move(weights)),
      credits_(weights_.size()),
      round_(weights_.size()),
      round_size_(round_.size()),
      used_(round_.size()),
      price_(*std::max_element(weights_.begin(), weights_.end())),
      equal_(price_ == *std::min_element(weights_.begin(), weights_.end())) {
  const uint64_t sum = std::accumulate(weights_.begin(), weights_.end(), uint64_t{0});
  rare_ = sum < uint64_t{price_} * weights_.size() / kRare;
  std::iota(round_.begin(), round_.end(), 0);
}

std::span<const uint32_t> Turns::next(size_t most) {
  if (used_ == round_size_) {
    begin_round();
  }
  const size_t count = std::min(most, round_size_ - used_);
  used_ += count;
  return {&round_[used_ - count], count};
}

// Never an empty round: the largest weight is the price.
void Turns::begin_round() {
  used_ = 0;
  if (equal_) {
    return;  // everybody, as in the round before
  }
  uint32_t* const end = rare_ ? list_rare_turns(round_.data()) : list_turns(round_.data());
  round_size_ = static_cast<size_t>(end - round_.data());
}

uint32_t* Turns::list_turns(uint32_t* end) {
  const uint32_t price = price_;  // the stores below might change the member, for all the compiler knows
  for (uint32_t i = 0; i < weights_.size(); ++i) {
    const uint32_t credit = credits_[i] + weights_[i];
    *end = i;
    end += credit >= price;
    credits_[i] = std::min(credit, credit - price);  // below the price the difference wraps
  }
  return end;
}

uint32_t* Turns::list_rare_turns(uint32_t* end) {
  const uint32_t price = price_;
  for (uint32_t i = 0; i < weights_.size(); ++i) {
    credits_[i] += weights_[i];
    if (credits_[i] >= price) [[unlikely]] {
      credits_[i] -= price;
      *end++ = i;
    }
  }
  return end;
}

}  // namespace maglb::maglev
