// A rate bound for each of many sources in fixed memory: 256 token buckets, a source's chosen by a keyed
// hash of its address. One that asks too much takes from the others of its bucket only, and cannot choose
// whose that is.
//
// Thread: one, the worker that has it.
#pragma once

#include <cstdint>
#include <memory_resource>
#include <vector>

#include "lib/base/siphash.h"
#include "lib/base/token_bucket.h"
#include "lib/net/address.h"

namespace maglb {

class SourceBudget {
 public:
  // Of each bucket. REQUIRES: as TokenBucket.
  SourceBudget(uint64_t rate_per_second, uint64_t burst,
               std::pmr::memory_resource* memory = std::pmr::get_default_resource())
      : buckets_(kBuckets, TokenBucket(rate_per_second, burst), memory) {}

  // As TokenBucket::take(), for that source.
  bool take(const SipKey& key, const IpAddress& source, Time now) {
    return buckets_[siphash24(key, source.bytes) % kBuckets].take(now);
  }

 private:
  static constexpr size_t kBuckets = 256;
  std::pmr::vector<TokenBucket> buckets_;
};

}  // namespace maglb
