#include "dataplane/publisher.h"

#include <utility>

namespace maglb {

Publisher::Publisher(Registry& registry, Grace& grace, size_t sockets)
    : registry_(registry), grace_(grace), slots_(sockets) {}

Result<Publisher::Published> Publisher::publish(const Change& change) {
  auto applied = registry_.apply(change);
  if (!applied) {
    return tl::unexpected(std::move(applied.error()));
  }
  for (size_t socket = 0; socket < slots_.size(); ++socket) {
    // Pairs with the acquire in Worker::run().
    slots_[socket].snapshot.store(applied->snapshots[socket].get(), std::memory_order_release);
  }
  Snapshots old = std::exchange(running_, std::move(applied->snapshots));
  if (!old.empty()) {
    retired_.push_back({grace_.start(), std::move(old)});
  }
  reclaim();
  return Published{std::move(applied->fresh_service_counters), std::move(applied->fresh_backend_counters)};
}

void Publisher::reclaim() {
  while (!retired_.empty() && grace_.passed(retired_.front().token)) {
    retired_.pop_front();
  }
}

}  // namespace maglb
