#include "controlplane/publish/heard_stats.h"

#include <utility>

namespace maglb {

bool HeardStats::take(ipc::Stats&& answer) {
  const bool is_first = next_.after_pool().empty();
  if (is_first && answer.changes() && next_.since() == kNoMark) {
    return false;  // the answer to a question from before start_anew()
  }
  if (is_first) {
    mark_ = answer.mark();
  }
  if (is_first) {
    collecting_ = !answer.changes();
    coming_.clear();
  }
  Pools& pools = collecting_ ? coming_ : pools_;
  for (const std::string& pool : answer.renewed_pools()) {
    pools.erase(pool);
  }
  for (ipc::BackendStats& backend : *answer.mutable_backends()) {
    ipc::BackendStats& known = pools[backend.pool()][backend.name()];
    known = std::move(backend);
  }
  const std::string more_after = std::move(*answer.mutable_more_after());
  answer.clear_backends();
  answer.clear_renewed_pools();
  all_ = std::move(answer);
  services_.clear();
  for (int i = 0; i < all_.services_size(); ++i) {
    services_[all_.services(i).name()] = i;
  }
  // Names go up: a dataplane that goes back would be asked for ever.
  const bool more = !more_after.empty() && more_after > next_.after_pool();
  next_.set_after_pool(more ? more_after : "");
  if (!more) {
    next_.set_since(mark_ != 0 ? mark_ : kNoMark);
    whole_ = true;
  }
  if (!more && collecting_) {
    pools_ = std::exchange(coming_, {});
    collecting_ = false;
  }
  return more;
}

void HeardStats::start_anew() {
  next_.Clear();
  next_.set_since(kNoMark);
  coming_.clear();
}

const ipc::BackendStats* HeardStats::backend(std::string_view pool, std::string_view name) const {
  const auto of_pool = pools_.find(pool);
  if (of_pool == pools_.end()) {
    return nullptr;
  }
  const auto found = of_pool->second.find(name);
  return found == of_pool->second.end() ? nullptr : &found->second;
}

const ipc::ServiceStats* HeardStats::service(std::string_view name) const {
  const auto found = services_.find(name);
  return found == services_.end() ? nullptr : &all_.services(found->second);
}

}  // namespace maglb
