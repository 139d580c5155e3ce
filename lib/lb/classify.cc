#include "lib/lb/classify.h"

#include "lib/lb/decide.h"
#include "lib/net/wire.h"

namespace maglb {
namespace {

bool is_fragment(const Batch& batch, uint32_t i) {
  const ParsedFrame& parsed = batch.parsed[i];
  return header_at<Ipv4Header>(batch.packets[i].data + parsed.l3_offset).is_fragment();
}

void classify_one(Batch& batch, uint32_t i, const Snapshot& snapshot, WorkerContext& worker) {
  const FlowKey& key = batch.parsed[i].key;
  if (is_fragment(batch, i)) [[unlikely]] {
    if (snapshot.services().has_address(key.destination)) {
      return drop(batch, i, worker, DropReason::kFragment);
    }
    batch.verdicts[i] = Verdict::kKernel;
    return;
  }
  const ServiceView* service = snapshot.services().find(key.destination, key.protocol, key.destination_port);
  if (service == nullptr) {
    batch.verdicts[i] = Verdict::kKernel;
    return;
  }
  if (key.source == worker.tunnel_source) [[unlikely]] {
    return drop(batch, i, worker, DropReason::kLoop);
  }
  batch.services[i] = service;
  batch.pools[i] = snapshot.pool(service->pool);
  TrafficCounters& counters = worker.counters.services[service->counter];
  counters.packets.add(1);
  counters.bytes.add(batch.parsed[i].l3_length);
}

}  // namespace

void classify(Batch& batch, const Snapshot& snapshot, WorkerContext& worker) {
  for (uint32_t i = 0; i < batch.size; ++i) {
    if (batch.verdicts[i] == Verdict::kPending) {
      classify_one(batch, i, snapshot, worker);
    }
  }
}

}  // namespace maglb
