#include "bench/balancer.h"

#include <cstdlib>
#include <string>

#include "bench/huge_memory.h"
#include "lib/maglev/table.h"

namespace maglb::bench {
namespace {

constexpr uint32_t kTableSize = 65537;
constexpr SipKey kFlowKey{0x0706050403020100, 0x0f0e0d0c0b0a0908};

IpAddress backend_address(uint32_t backend, bool is_v6) {
  IpAddress address = service_address(backend, is_v6);
  address.bytes[12] = 10;
  return address;
}

std::vector<uint16_t> slots_of(const std::vector<uint32_t>& weights) {
  std::vector<std::string> names;
  for (uint32_t i = 0; i < weights.size(); ++i) {
    names.push_back("b" + std::to_string(10000 + i));
  }
  std::vector<maglev::Member> members;
  for (uint32_t i = 0; i < weights.size(); ++i) {
    members.push_back({names[i], weights[i]});
  }
  return maglev::build(members, kTableSize, 7);
}

}  // namespace

Balancer::Balancer(const BalancerPlan& plan)
    : plan_(plan),
      buckets_(FlowTable::buckets_for(plan.flow_entries), huge_memory()),
      flows_(std::make_unique<FlowTable>(buckets_)),
      tables_{flows_.get()},
      counters_(plan.services, plan.backends),
      scheduling_(0, 1, kFlowKey, 1, plan.backends, std::pmr::get_default_resource()),
      next_hops_(plan.backends),
      ports_(1) {
  ports_[0].mac = kPortMac;
  for (uint32_t i = 0; i < plan.backends; ++i) {
    const auto high = static_cast<uint8_t>(i >> 8);
    next_hops_.set(i, {MacAddress{{2, 1, 0, 0, high, static_cast<uint8_t>(i)}}, 0});
  }
  worker_ = std::make_unique<WorkerContext>(
      WorkerContext{*flows_, tables_, counters_, next_hops_, ports_, kFlowKey,
                    IpAddress::v4(std::array<uint8_t, 4>{10, 0, 0, 2}), service_address(0xffff, true)});
  worker_->path = path_of(isa_from(std::getenv("MAGLB_ISA")).value_or(best_isa()));
  worker_->scheduling = &scheduling_;
  flows_->count_in(&scheduling_.flows);
  make_snapshot(std::vector<uint32_t>(plan.backends, 1));
}

void Balancer::publish(const std::vector<uint32_t>& weights) {
  make_snapshot(weights);
}

void Balancer::make_snapshot(const std::vector<uint32_t>& weights) {
  const BalancerPlan& plan = plan_;
  auto* const memory = std::pmr::get_default_resource();
  const std::vector<uint16_t> slots = slots_of(weights);
  auto pool = std::make_shared<PoolView>(memory);
  pool->slots.assign(slots.begin(), slots.end());
  for (uint32_t i = 0; i < plan.backends; ++i) {
    pool->backends.push_back(
        {backend_address(i, plan.is_v6), i, i, i, weights[i] == 0 ? PlaceState::kRemoved : PlaceState::kUp});
  }
  std::vector<ServiceIndex::Service> services;
  for (uint32_t i = 0; i < plan.services; ++i) {
    ServiceView service;
    service.id = i + 1;
    service.counter = i;
    for (size_t state = 0; state < kFlowStates; ++state) {
      service.timeouts.set(state, std::chrono::seconds(state == 1 ? 300 : 10));
    }
    services.push_back({service_address(i, plan.is_v6), Protocol::kTcp, kServicePort, service});
  }
  auto index = std::make_shared<ServiceIndex>(services, memory);
  Snapshot::Pools pools(memory);
  pools.push_back(std::move(pool));
  snapshot_ = std::make_unique<Snapshot>(1, std::move(index), std::move(pools));
}

uint64_t Balancer::run(Traffic& traffic, Time now) {
  uint64_t sent = 0;
  for (uint32_t burst = 0; burst < kBursts; ++burst) {
    batch_.clear();
    for (uint32_t i = 0; i < kBatchSize; ++i) {
      batch_.add(traffic.packet(burst * kBatchSize + i));
    }
    process(batch_, *snapshot_, *worker_, now);
    for (uint32_t i = 0; i < kBatchSize; ++i) {
      sent += batch_.verdicts[i] == Verdict::kSend ? 1 : 0;
    }
  }
  return sent;
}

// A table is empty when its memory is.
void Balancer::clear() {
  count_flows_by(*snapshot_, &scheduling_);
  flows_->sweep(buckets_.size(), Tick::at(monotonic_now()), [](const FlowEntry&) { return false; });
}

}  // namespace maglb::bench
