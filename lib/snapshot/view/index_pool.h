// Small numbers to hand out and take back: 0..limit-1, the lowest free one first.
#pragma once

#include <cstdint>
#include <optional>
#include <set>

namespace maglb {

class IndexPool {
 public:
  explicit IndexPool(uint32_t limit) : limit_(limit) {}

  // Nothing when all are out.
  std::optional<uint32_t> take() {
    if (!returned_.empty()) {
      return returned_.extract(returned_.begin()).value();
    }
    return next_ < limit_ ? std::optional<uint32_t>(next_++) : std::nullopt;
  }
  // REQUIRES: index is out.
  void give_back(uint32_t index) { returned_.insert(index); }

 private:
  uint32_t limit_;
  uint32_t next_ = 0;
  std::set<uint32_t> returned_;
};

}  // namespace maglb
