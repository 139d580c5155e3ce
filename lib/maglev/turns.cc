#include "lib/maglev/turns.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace maglb::maglev {

Turns::Turns(std::vector<uint32_t> weights)
    : weights_(std::move(weights)),
      credits_(weights_.size()),
      round_(weights_.size()),
      round_size_(round_.size()),
      used_(round_.size()),
      price_(*std::max_element(weights_.begin(), weights_.end())),
      equal_(price_ == *std::min_element(weights_.begin(), weights_.end())) {
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
  const uint32_t price = price_;  // the stores below might change the member, for all the compiler knows
  uint32_t* end = round_.data();
  for (uint32_t i = 0; i < weights_.size(); ++i) {
    const uint32_t credit = credits_[i] + weights_[i];
    *end = i;
    end += credit >= price;
    credits_[i] = std::min(credit, credit - price);  // below the price the difference wraps
  }
  round_size_ = static_cast<size_t>(end - round_.data());
}

}  // namespace maglb::maglev
