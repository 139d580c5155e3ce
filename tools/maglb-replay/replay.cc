#include "tools/maglb-replay/replay.h"

#include <algorithm>
#include <cstring>

#include "lib/lb/decide.h"
#include "lib/lb/fragments.h"
#include "lib/lb/nat.h"
#include "lib/snapshot/build/compile.h"

namespace maglb::replay {
namespace {

constexpr Duration kBurstLength = std::chrono::microseconds(100);

// A pass of the sweep takes this much of the capture's time. A worker's is shorter; here an idle hour
// costs as many passes as it has of these, and nobody waits for a removed backend's place.
constexpr Duration kSweepPass = std::chrono::seconds(10);
constexpr Duration kStride = std::chrono::hours(1);

std::vector<PortView> ports_of(const MachineConfig& machine) {
  std::vector<PortView> ports;
  for (const PortConfig& port : machine.ports) {
    ports.push_back({.mac = {}, .mtu = port.mtu, .any_mac = true});
  }
  for (size_t i = 0; i < machine.ports.size(); ++i) {
    for (const VlanConfig& vlan : machine.ports[i].vlans) {
      PortView link = ports[i];
      link.mtu = vlan.mtu != 0 ? vlan.mtu : link.mtu;
      link.port = static_cast<uint8_t>(i);
      link.vlan_outer = vlan.outer;
      link.vlan_inner = vlan.id;
      ports.push_back(link);
    }
  }
  return ports;
}

// As the dataplane's: the first link with a configured next hop, VLANs behind all ports.
FixedNextHops next_hops_of(const MachineConfig& machine, NextHopTable& table) {
  std::vector<std::optional<MacAddress>> links;
  for (const PortConfig& port : machine.ports) {
    links.push_back(port.next_hop_mac);
  }
  for (const PortConfig& port : machine.ports) {
    for (const VlanConfig& vlan : port.vlans) {
      links.push_back(vlan.next_hop_mac);
    }
  }
  const auto at =
      std::find_if(links.begin(), links.end(), [](const auto& next_hop) { return next_hop.has_value(); });
  return at == links.end() ? FixedNextHops(table, 0, std::nullopt)
                           : FixedNextHops(table, static_cast<uint8_t>(at - links.begin()), *at);
}

// By the index of WorkerContext::ports.
std::vector<std::string> link_names_of(const MachineConfig& machine) {
  std::vector<std::string> names;
  for (const PortConfig& port : machine.ports) {
    names.push_back(port.name);
  }
  for (const PortConfig& port : machine.ports) {
    for (const VlanConfig& vlan : port.vlans) {
      names.push_back(vlan.name);
    }
  }
  return names;
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
      next_hops_(next_hops_of(machine, next_hop_table_)),
      registry_({machine.limits.services, machine.limits.pools, machine.limits.backends}, next_hops_,
                {std::pmr::new_delete_resource()}),
      buckets_(FlowTable::buckets_for(machine.flow_entries)),
      flows_(buckets_),
      tables_{&flows_},
      counters_(machine.limits.services, machine.limits.backends),
      scheduling_(0, 1, flow_key_of(services.seed), machine.limits.pools, machine.limits.backends,
                  std::pmr::new_delete_resource()),
      fragments_(flow_key_of(services.seed)),
      worker_{flows_,
              tables_,
              counters_,
              next_hop_table_,
              ports_,
              flow_key_of(services.seed),
              machine.tunnel_source_v4,
              machine.tunnel_source_v6,
              path_of(isa)},
      link_names_(link_names_of(machine)),
      explainer_(machine.limits.services, machine.limits.pools, machine.limits.backends, worker_.flow_key) {
  worker_.fragments = &fragments_;
  worker_.scheduling = &scheduling_;
  flows_.count_in(&scheduling_.flows);
  worker_.extra = ExtraFrames(extra_buffers_.source());
}

bool Replay::ExtraBuffers::take(void* self, ExtraFrame& frame) {
  auto& buffers = *static_cast<ExtraBuffers*>(self);
  if (buffers.free_.empty()) {
    buffers.all_.push_back(std::make_unique<Buffer>());
    buffers.free_.push_back(buffers.all_.back().get());
  }
  Buffer* const buffer = buffers.free_.back();
  buffers.free_.pop_back();
  frame.handle = buffer;
  frame.packet = Packet{};
  frame.packet.data = buffer->bytes.data();
  frame.packet.tailroom = Buffer::kRoom;
  return true;
}

Result<std::unique_ptr<Replay>> Replay::create(const ServiceConfig& services, const MachineConfig& machine,
                                               Isa isa) {
  std::unique_ptr<Replay> replay(new Replay(services, machine, isa));
  if (const auto made = replay->make_nat(machine.nat_source); !made) {
    return tl::unexpected(made.error());
  }
  if (const auto applied = replay->apply(services); !applied) {
    return tl::unexpected(applied.error());
  }
  return replay;
}

Result<void> Replay::make_nat(const NatSourceConfig& source) {
  auto ports = NatPorts::of_sources(source.v4, source.v6, {source.ports.first, source.ports.last}, 1);
  if (!ports) {
    return tl::unexpected(ports.error());
  }
  nat_ports_ = *std::move(ports);
  if (nat_ports_) {
    nat_.emplace(*nat_ports_, 0, nat_port_key(worker_.flow_key), NatTable::kDefaultQuarantine,
                 std::pmr::new_delete_resource());
    worker_.nat = &*nat_;
    nat_->count_in(&scheduling_.flows);
  }
  return {};
}

Result<void> Replay::apply(const ServiceConfig& services) {
  const auto healthy = [](std::string_view, std::string_view) { return true; };
  const Compiled compiled = compile(services, healthy, nullptr);
  services_ = compiled.services;
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
    ++frames_;
    if (to_explain_.first <= frames_ && frames_ <= to_explain_.last && explained_.size() < kMostExplained) {
      explain(**frame, out);
    }
    load(**frame);
  }
}

// Behind all that came before it: its burst begins with it.
void Replay::explain(const Frame& frame, CaptureWriter& out) {
  if (batch_.size > 0) {
    serve(out);
  }
  const std::span<const uint8_t> bytes =
      std::span(frame.bytes).first(std::min(frame.bytes.size(), kLargestFrame));
  const BackendFlows* const flow_counts[] = {&scheduling_.flows};
  const Time now = std::max(now_, frame.time);
  const ExplainSources sources{
      *snapshot_,
      tables_,
      next_hop_table_,
      ports_,
      worker_.flow_key,
      worker_.tunnel_source,
      worker_.tunnel_source_v6,
      worker_.path,
      nat_ports_ ? &*nat_ports_ : nullptr,
      flow_counts,
      [this, now](uint32_t, const NatQuestion& question) { return answer_of(*nat_, question, now); }};
  const Explanation explanation = explainer_.explain(bytes, 0, sources, now);
  const auto link = [this](uint8_t index) { return link_names_.at(index); };
  explained_.push_back({frames_, report_of(explanation, {registry_, *services_, link})});
}

// A frame that is not whole, or fits no buffer, is decided here, and counted as received with its burst.
void Replay::load(const Frame& frame) {
  remarked_.backward_frames += frame.time < now_ ? 1 : 0;
  now_ = std::max(now_, frame.time);
  if (batch_.size == 0) {
    burst_begin_ = now_;
  }
  Buffer* const buffer = free_buffer();
  buffer->stamp = frame.time;
  buffer->length = static_cast<uint16_t>(std::min<size_t>(frame.bytes.size(), Buffer::kRoom));
  std::copy_n(frame.bytes.begin(), buffer->length, buffer->bytes.data() + Buffer::kHeadroom);
  const uint32_t i = batch_.size;
  add(buffer);
  if (frame.wire_length > Buffer::kRoom) {
    ++remarked_.oversized_frames;
    drop(batch_, i, worker_, DropReason::kMultiSegment);
  } else if (frame.is_cut()) {
    ++remarked_.cut_frames;
    drop(batch_, i, worker_, DropReason::kTruncated);
  }
}

Replay::Buffer* Replay::free_buffer() {
  if (free_.empty()) {
    buffers_.push_back(std::make_unique<Buffer>());
    return buffers_.back().get();
  }
  Buffer* const buffer = free_.back();
  free_.pop_back();
  return buffer;
}

void Replay::add(Buffer* buffer) {
  in_batch_[batch_.size] = buffer;
  batch_.add({buffer->bytes.data() + Buffer::kHeadroom, buffer->length, Buffer::kHeadroom,
              static_cast<uint16_t>(Buffer::kRoom - buffer->length), 0});
}

void Replay::serve(CaptureWriter& out) {
  sweep_gap();
  sweep();
  batch_.handles = in_batch_.data();
  process(batch_, *snapshot_, worker_, now_);
  dispatch(out);
  settle_fragments(out);
}

void Replay::dispatch(CaptureWriter& out) {
  for (uint32_t i = 0; i < batch_.size; ++i) {
    auto* const buffer = static_cast<Buffer*>(in_batch_[i]);
    if (batch_.verdicts[i] == Verdict::kHeld) {
      continue;
    }
    if (batch_.verdicts[i] == Verdict::kSend) {
      out.write({batch_.packets[i].data, batch_.packets[i].length}, buffer->stamp);
      counters_.sent.add(1);
    } else if (batch_.verdicts[i] == Verdict::kKernel) {
      counters_.to_kernel.add(1);
    }
    free_.push_back(buffer);
  }
  for (const ExtraFrame& frame : worker_.extra.list()) {
    out.write({frame.packet.data, frame.packet.length},
              static_cast<const Buffer*>(in_batch_[frame.cause])->stamp);
    counters_.sent.add(1);
    extra_buffers_.put_back(frame.handle);
  }
  worker_.extra.clear();
  batch_.clear();
}

// Released fragments leave now.
void Replay::settle_fragments(CaptureWriter& out) {
  std::array<uintptr_t, kBatchSize> handles;
  for (;;) {
    const Returned returned = take_back(worker_, handles, now_);
    if (returned.kind == TakenBack::kNone) {
      return;
    }
    for (const uintptr_t handle : std::span(handles).first(returned.count)) {
      auto* const buffer = reinterpret_cast<Buffer*>(handle);
      if (returned.kind == TakenBack::kDropped) {
        free_.push_back(buffer);
        continue;
      }
      buffer->stamp = now_;
      add(buffer);
    }
    if (returned.kind == TakenBack::kReleased) {
      batch_.is_released = true;
      batch_.handles = in_batch_.data();
      process(batch_, *snapshot_, worker_, now_);
      dispatch(out);
    }
  }
}

// A deadline is kept in few bits (lib/base/coarse_clock.h): an hour behind it it looks reached, two hours
// behind it may look far off again. So whole passes cross a gap in strides; the longest timeout ends them.
void Replay::sweep_gap() {
  for (; flows_.size() != 0 && now_ - last_sweep_ > kStride; last_sweep_ += kStride) {
    sweep_slice(buckets_.size(), last_sweep_ + kStride);
  }
}

// How many of so many places are due by the time that has passed. A gap in the capture is worth one whole
// pass at most: it leaves nothing that is expired.
size_t Replay::sweep_share(size_t places) const {
  const Duration elapsed = std::min<Duration>(now_ - last_sweep_, kSweepPass);
  return static_cast<size_t>(static_cast<double>(places) *
                             (static_cast<double>(elapsed.count()) / kSweepPass.count()));
}

void Replay::sweep() {
  const size_t due = sweep_share(buckets_.size());
  if (due == 0) {
    return;
  }
  if (nat_ && nat_->size() != 0) {
    sweep_nat(worker_, sweep_share(nat_->capacity()), *snapshot_, now_);
  }
  last_sweep_ = now_;
  if (flows_.size() != 0) {
    sweep_slice(due, now_);
  }
}

void Replay::sweep_slice(size_t buckets, Time now) {
  const size_t before = flows_.size();
  flows_.sweep(buckets, Tick::at(now),
               [this](const FlowEntry& entry) { return entry_may_stay(entry, *snapshot_); });
  counters_.count(Event::kFlowsExpired, before - flows_.size());
}

Report Replay::report() const {
  Report report = remarked_;
  report.received = counters_.received.value();
  report.originated = counters_.originated.value();
  report.sent = counters_.sent.value();
  report.kernel = counters_.to_kernel.value();
  report.held = counters_.held.value();
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
