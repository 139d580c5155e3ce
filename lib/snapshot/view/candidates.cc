#include "lib/snapshot/view/candidates.h"

#include "lib/snapshot/view/forwarding_state.h"
#include "lib/snapshot/view/interleave.h"

namespace maglb {

// The sum of all weights fits the 32 bits of a row's cut.
static_assert(uint64_t{kMaxBackendsPerPool} * kMaxBackendWeight < 0xffffffff);

Candidates::Candidates(Scheduler scheduler, std::span<const Candidate> members,
                       std::pmr::memory_resource* memory)
    : members_(members.begin(), members.end(), memory), cycle_(memory), alias_(memory) {
  std::vector<uint32_t> weights;
  for (const Candidate& member : members) {
    weights.push_back(member.weight);
    total_ += member.weight;
  }
  if (scheduler == Scheduler::kRoundRobin) {
    cycle_ = interleave(counts_in_cycle(weights), memory);
  } else if (is_stateful(scheduler)) {
    make_alias();
  }
}

// Vose 1991: each row is filled up from one that has more than its share.
void Candidates::make_alias() {
  const size_t size = members_.size();
  alias_.resize(size);
  std::vector<uint64_t> left(size);  // of weight times size: a row holds total_
  std::vector<uint16_t> less;
  std::vector<uint16_t> more;
  for (size_t i = 0; i < size; ++i) {
    left[i] = uint64_t{members_[i].weight} * size;
    (left[i] < total_ ? less : more).push_back(static_cast<uint16_t>(i));
  }
  while (!less.empty()) {
    const uint16_t small = less.back();
    less.pop_back();
    const uint16_t large = more.back();
    alias_[small] = {static_cast<uint32_t>(left[small]), large};
    left[large] -= total_ - left[small];
    if (left[large] < total_) {
      more.pop_back();
      less.push_back(large);
    }
  }
  for (const uint16_t full : more) {
    alias_[full] = {static_cast<uint32_t>(total_), full};
  }
}

}  // namespace maglb
