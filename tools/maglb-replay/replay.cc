#include "tools/maglb-replay/replay.h"

#include <algorithm>
#include <cstring>

#include "lib/lb/decide.h"
#include "lib/snapshot/build/compile.h"

namespace maglb::replay {
namespace {

constexpr Duration kBurstLength = std::chrono::microseconds(100);

// A pass of the sweep takes this much of the capture's time. A worker's is shorter; here an idle hour
// costs as many passes as it has of these, and nobody waits for a removed backend's place.
constexpr Duration kSweepPass = std::chrono::seconds(10);

uint8_t egress_port(const MachineConfig& machine) {
  const auto has_next_hop = [](const PortConfig& port) { return port.next_hop_mac.has_value(); };
  const auto at = std::find_if(machine.ports.begin(), machine.ports.end(), has_next_hop);
  return static_cast<uint8_t>(at == machine.ports.end() ? 0 : at - machine.ports.begin());
}

std::vector<PortView> ports_of(const MachineConfig& machine) {
  std::vector<PortView> ports;
  for (const PortConfig& port : machine.ports) {
    ports.push_back({.mac = {}, .mtu = port.mtu, .any_mac = true});
  }
  return ports;
}

// The daemons' key is random; here it must be the same in every run.
SipKey flow_key_of(uint64_t seed) {
  return {seed, 0x6d61676c622d7270};
}

Traffic traffic_of(const TrafficCounters& counters) {
  return {counters.packets.value(), counters.bytes.value(), counters.new_flows.value()};
}

}  // namespace

MachineConfig example_machine() {
  MachineConfig machine;
  machine.worker_cores = {1};
  machine.tunnel_source_v4 = IpAddress::v4(std::array<uint8_t, 4>{10, 0, 0, 2});
  PortConfig uplink;
  uplink.name = "uplink";
  uplink.device = "net_af_xdp0,iface=lb0";
  machine.ports.push_back(uplink);
  return machine;
}

Replay::Replay(const ServiceConfig& services, const MachineConfig& machine, Isa isa)
    : ports_(ports_of(machine)),
      next_hop_table_(size_t{machine.limits.backends} * 2),
      next_hops_(next_hop_table_, egress_port(machine), machine.ports[egress_port(machine)].next_hop_mac),
      registry_({machine.limits.services, machine.limits.pools, machine.limits.backends}, next_hops_,
                {std::pmr::new_delete_resource()}),
      buckets_(FlowTable::buckets_for(machine.flow_entries)),
      flows_(buckets_),
      tables_{&flows_},
      counters_(machine.limits.services, machine.limits.backends),
      worker_{flows_,
              tables_,
              counters_,
              next_hop_table_,
              ports_,
              flow_key_of(services.seed),
              machine.tunnel_source_v4.value_or(IpAddress{}),
              machine.tunnel_source_v6.value_or(IpAddress{}),
              path_of(isa)},
      buffers_(kBatchSize) {}

Result<std::unique_ptr<Replay>> Replay::create(const ServiceConfig& services, const MachineConfig& machine,
                                               Isa isa) {
  std::unique_ptr<Replay> replay(new Replay(services, machine, isa));
  if (const auto applied = replay->apply(services); !applied) {
    return tl::unexpected(applied.error());
  }
  return replay;
}

Result<void> Replay::apply(const ServiceConfig& services) {
  const auto healthy = [](std::string_view, std::string_view) { return true; };
  const Compiled compiled = compile(services, healthy, nullptr);
  auto applied = registry_.apply(difference(nullptr, 0, compiled, 1));
  if (!applied) {
    return tl::unexpected(applied.error());
  }
  snapshot_ = std::move(applied->snapshots.front());
  return {};
}

Result<void> Replay::run(CaptureReader& in, CaptureWriter& out) {
  for (;;) {
    const auto frame = in.next();
    if (!frame) {
      return tl::unexpected(frame.error());
    }
    const bool ends_burst = !*frame || (*frame)->time > burst_begin_ + kBurstLength;
    if (batch_.size == kBatchSize || (ends_burst && batch_.size > 0)) {
      serve(out);
    }
    if (!*frame) {
      return {};
    }
    load(**frame);
  }
}

// A frame that is not whole, or fits no buffer, is decided here, and counted as received with its burst.
void Replay::load(const Frame& frame) {
  remarked_.backward_frames += frame.time < now_ ? 1 : 0;
  now_ = std::max(now_, frame.time);
  if (batch_.size == 0) {
    burst_begin_ = now_;
  }
  const uint32_t i = batch_.size;
  Buffer& buffer = buffers_[i];
  buffer.stamp = frame.time;
  const size_t length = std::min<size_t>(frame.bytes.size(), Buffer::kRoom);
  uint8_t* data = buffer.bytes.data() + Buffer::kHeadroom;
  std::copy_n(frame.bytes.begin(), length, data);
  batch_.add({data, static_cast<uint16_t>(length), Buffer::kHeadroom,
              static_cast<uint16_t>(Buffer::kRoom - length), 0});
  if (frame.wire_length > Buffer::kRoom) {
    ++remarked_.oversized_frames;
    drop(batch_, i, worker_, DropReason::kMultiSegment);
  } else if (frame.is_cut()) {
    ++remarked_.cut_frames;
    drop(batch_, i, worker_, DropReason::kTruncated);
  }
}

void Replay::serve(CaptureWriter& out) {
  process(batch_, *snapshot_, worker_, now_);
  for (uint32_t i = 0; i < batch_.size; ++i) {
    if (batch_.verdicts[i] == Verdict::kSend) {
      out.write({batch_.packets[i].data, batch_.packets[i].length}, buffers_[i].stamp);
      counters_.sent.add(1);
    } else if (batch_.verdicts[i] == Verdict::kKernel) {
      counters_.to_kernel.add(1);
    }
  }
  batch_.clear();
  sweep();
}

// A gap in the capture is worth one whole pass at most: it leaves nothing that is expired.
void Replay::sweep() {
  const Duration elapsed = std::min<Duration>(now_ - last_sweep_, kSweepPass);
  const auto due = static_cast<size_t>(static_cast<double>(buckets_.size()) *
                                       (static_cast<double>(elapsed.count()) / kSweepPass.count()));
  if (due == 0) {
    return;
  }
  last_sweep_ = now_;
  const size_t before = flows_.size();
  if (before == 0) {
    return;
  }
  flows_.sweep(due, Tick::at(now_),
               [this](const FlowEntry& entry) { return entry_may_stay(entry, *snapshot_); });
  counters_.count(Event::kFlowsExpired, before - flows_.size());
}

Report Replay::report() const {
  Report report = remarked_;
  report.received = counters_.received.value();
  report.originated = counters_.originated.value();
  report.sent = counters_.sent.value();
  report.kernel = counters_.to_kernel.value();
  for (size_t i = 0; i < kDropReasons; ++i) {
    report.dropped.emplace_back(name_of(static_cast<DropReason>(i)), counters_.dropped[i].value());
  }
  for (size_t i = 0; i < kEvents; ++i) {
    report.events.emplace_back(name_of(static_cast<Event>(i)), counters_.events[i].value());
  }
  for (const auto& service : registry_.services()) {
    report.services[service.name] = traffic_of(counters_.services[service.counter]);
  }
  for (const auto& backend : registry_.backends()) {
    report.backends[backend.pool][backend.name] = traffic_of(counters_.backends[backend.counter]);
  }
  return report;
}

}  // namespace maglb::replay
