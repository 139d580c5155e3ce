// A balancer of one pool on the bench: services of both families on it (tcp/80 by ipip, udp/53 and tcp/81
// by l2), two ports and as many workers as asked. The snapshot is put together by hand, so that a test may
// set any state of a backend and any table.
#pragma once

#include <algorithm>
#include <memory>
#include <random>
#include <vector>

#include "lib/lb/pipeline.h"
#include "tests/support/packet_builder.h"

namespace maglb::testing {

inline IpAddress address(uint8_t a, uint8_t b, uint8_t c, uint8_t d) {
  return IpAddress::v4(std::array<uint8_t, 4>{a, b, c, d});
}

struct Outcome {
  Verdict verdict = Verdict::kPending;
  uint8_t out_port = 0;
  uint8_t target = 0;
  Bytes frame;  // as it is afterwards
  struct Extra {
    uint8_t out_port = 0;
    Bytes frame;
  };
  std::vector<Extra> extra;  // what was made beside it
};

class Rig {
 public:
  static constexpr uint16_t kBackends = 4;

  explicit Rig(size_t workers = 1, size_t flow_entries = 4096) : next_hops(2 * kBackends) {
    for (uint16_t i = 0; i < kBackends; ++i) {
      next_hops.set(i, {mac_of(i, true), 1});
      next_hops.set(kBackends + i, {mac_of(i, false), 1});
    }
    ports[0].mac = MacAddress{{2, 0, 0, 0, 0, 0xaa}};
    ports[1].mac = MacAddress{{2, 0, 0, 0, 0, 0xbb}};
    for (size_t i = 0; i < workers; ++i) {
      buckets_.emplace_back(FlowTable::buckets_for(flow_entries));
      tables_.push_back(std::make_unique<FlowTable>(buckets_.back()));
      views_.push_back(tables_.back().get());
      counters_.push_back(std::make_unique<WorkerCounters>(8, kBackends));
    }
    for (size_t i = 0; i < workers; ++i) {
      workers_.push_back(std::make_unique<WorkerContext>(
          WorkerContext{*tables_[i], views_, *counters_[i], next_hops, ports, SipKey{1, 2},
                        address(10, 0, 0, 2), IpAddress::parse("2001:db8::2").value()}));
      workers_.back()->extra = ExtraFrames({take_extra, give_back_extra, this});
    }
    publish();
  }

  // What the next publish() shows.
  std::array<PlaceState, kBackends> states{};
  std::array<IpAddress, kBackends> addresses{address(10, 0, 1, 11), address(10, 0, 1, 12),
                                             address(10, 0, 1, 13), address(10, 0, 1, 14)};
  std::vector<uint16_t> slots = {0};
  bool keep_on_failure = false;
  bool track_flows = true;
  bool is_passive = false;
  ForwardMode tcp_mode = ForwardMode::kIpip;                      // of tcp/80
  ServiceOptions tcp_options;                                     // of tcp/80
  ServiceOptions udp_options;                                     // of udp/53
  std::vector<std::pair<std::string, uint16_t>> server_ids = {};  // and the places that have them
  std::vector<ServiceIndex::Service> more = {};                   // made by service()
  ForwardMode udp_mode = ForwardMode::kL2;
  uint32_t first_service_id = 1;
  std::array<int, kFlowStates> timeouts{10, 900, 5, 60};  // seconds, by FlowState

  // Seven slots at random among the backends whose state is kUp; what becomes of flows on others, at random.
  void shuffle_and_publish(std::mt19937_64& random) {
    std::vector<uint16_t> up;
    for (uint16_t place = 0; place < kBackends; ++place) {
      if (states[place] == PlaceState::kUp) {
        up.push_back(place);
      }
    }
    slots.assign(7, kNoBackend);
    for (uint16_t& slot : slots) {
      slot = up.empty() ? kNoBackend : up[random() % up.size()];
    }
    keep_on_failure = random() % 2 == 0;
    publish();
  }

  void publish() {
    auto* const memory = std::pmr::get_default_resource();
    auto pool = std::make_shared<PoolView>(memory);
    pool->number = 1;
    pool->keep_on_failure = keep_on_failure;
    pool->is_passive = is_passive;
    pool->slots.assign(slots.begin(), slots.end());
    for (uint16_t i = 0; i < kBackends; ++i) {
      pool->backends.push_back({addresses[i], i, static_cast<uint32_t>(kBackends + i), i, states[i]});
    }
    std::vector<ServiceIndex::Service> services;
    for (const IpAddress& to : {address(198, 51, 100, 1), IpAddress::parse("2001:db8:100::1").value()}) {
      services.push_back(service(0, to, Protocol::kTcp, 80, tcp_mode, tcp_options));
      services.push_back(service(1, to, Protocol::kUdp, 53, udp_mode, udp_options));
      services.push_back(service(2, to, Protocol::kTcp, 81, ForwardMode::kL2));
    }
    services.insert(services.end(), more.begin(), more.end());
    pool->server_ids = ServerIds(server_ids, memory);
    auto index = std::make_shared<ServiceIndex>(services, memory);
    Snapshot::Pools pools(memory);
    pools.resize(2);
    pools[1] = pool;
    snapshot_ = std::make_unique<Snapshot>(1, index, std::move(pools));
  }

  // Both families' have the same id and counter.
  ServiceIndex::Service service(uint32_t number, const IpPrefix& to, Protocol protocol, PortRange port,
                                ForwardMode mode, const ServiceOptions& options = {}) const {
    ServiceView view;
    view.id = first_service_id + number;
    view.counter = number;
    view.pool = 1;
    view.forward = mode;
    view.keep_on_failure = keep_on_failure;
    view.track_flows = track_flows;
    for (size_t state = 0; state < kFlowStates; ++state) {
      view.timeouts.set(state, std::chrono::seconds(timeouts[state]));
    }
    return {to, protocol, port, view, options};
  }

  // The frame lies in a heap block of exactly its size and rooms, so that a sanitizer sees every byte
  // beside it.
  Outcome run(const Bytes& frame, size_t worker = 0, uint16_t headroom = 128, uint16_t tailroom = 0,
              bool is_handed = false) {
    const size_t size = headroom + frame.size() + tailroom;
    const auto block = std::make_unique<uint8_t[]>(std::max<size_t>(size, 1));
    std::copy(frame.begin(), frame.end(), block.get() + headroom);
    Batch batch;
    batch.clear();
    batch.is_handed = is_handed;
    batch.add({block.get() + headroom, static_cast<uint16_t>(frame.size()), headroom, tailroom, 0});
    process(batch, *snapshot_, *workers_[worker], now);
    const Packet& packet = batch.packets[0];
    Outcome result{batch.verdicts[0],
                   batch.out_ports[0],
                   batch.targets[0],
                   {packet.data, packet.data + packet.length},
                   {}};
    for (const ExtraFrame& extra : workers_[worker]->extra.list()) {
      const uint8_t* const data = extra.packet.data;
      result.extra.push_back({extra.out_port, {data, data + extra.packet.length}});
    }
    settle(batch, worker);
    return result;
  }

  // The caller's part of the counting, and the sending of extra frames.
  void settle(const Batch& batch, size_t worker) {
    for (uint32_t i = 0; i < batch.size; ++i) {
      counters(worker).sent.add(batch.verdicts[i] == Verdict::kSend ? 1 : 0);
      counters(worker).to_kernel.add(batch.verdicts[i] == Verdict::kKernel ? 1 : 0);
    }
    counters(worker).sent.add(workers_[worker]->extra.size());
    workers_[worker]->extra.give_back(0);
  }
  bool counters_add_up(size_t worker = 0) const {
    const WorkerCounters& c = *counters_[worker];
    uint64_t out = c.sent.value() + c.to_kernel.value() + c.held.value();
    for (const Counter& reason : c.dropped) {
      out += reason.value();
    }
    return c.received.value() + c.originated.value() == out;
  }

  // By what it was sent to, the backend's place; kNoBackend if it was not sent.
  static uint16_t place_of(const Outcome& result) {
    return result.verdict == Verdict::kSend ? result.frame[4] : kNoBackend;
  }
  static MacAddress mac_of(uint16_t place, bool routed) {
    return {{2, 1, 0, 0, static_cast<uint8_t>(place), static_cast<uint8_t>(routed ? 1 : 2)}};
  }

  uint64_t dropped(DropReason reason, size_t worker = 0) const {
    return counters_[worker]->dropped[static_cast<size_t>(reason)].value();
  }
  uint64_t events(Event event, size_t worker = 0) const {
    return counters_[worker]->events[static_cast<size_t>(event)].value();
  }
  WorkerCounters& counters(size_t worker = 0) { return *counters_[worker]; }
  WorkerContext& worker(size_t i = 0) { return *workers_[i]; }
  FlowTable& table(size_t i = 0) { return *tables_[i]; }
  const Snapshot& snapshot() const { return *snapshot_; }

  // How many more buffers there are for extra frames, each a heap block of this size.
  size_t extra_buffers = 1000;
  size_t extra_bytes = 2048;

  Time now = std::chrono::seconds(1000);
  NextHopTable next_hops;
  std::array<PortView, 2> ports;

 private:
  static bool take_extra(void* self, ExtraFrame& frame) {
    auto& rig = *static_cast<Rig*>(self);
    if (rig.extra_buffers == 0) {
      return false;
    }
    --rig.extra_buffers;
    frame.packet = Packet{};
    frame.packet.data = new uint8_t[rig.extra_bytes];
    frame.packet.tailroom = static_cast<uint16_t>(rig.extra_bytes);
    frame.handle = frame.packet.data;
    return true;
  }
  static void give_back_extra(void* self, void* handle) {
    delete[] static_cast<uint8_t*>(handle);
    ++static_cast<Rig*>(self)->extra_buffers;
  }

  std::vector<std::vector<FlowTable::Bucket>> buckets_;
  std::vector<std::unique_ptr<FlowTable>> tables_;
  std::vector<const FlowTable*> views_;
  std::vector<std::unique_ptr<WorkerCounters>> counters_;
  std::vector<std::unique_ptr<WorkerContext>> workers_;
  std::unique_ptr<const Snapshot> snapshot_;
};

}  // namespace maglb::testing
