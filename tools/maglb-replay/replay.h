// The packet path of a worker, fed from a capture: no daemon, no NIC, no clock but the capture's.
//
// The same configuration and capture give the same bytes out, on every machine: the key of the flow
// table derives from the seed, next hops from addresses (FixedNextHops), and time from the frames.
//
// How a capture becomes bursts: frames that lie within 100 us of the first one are one burst, as many
// as a burst holds; its time is that of its last frame. Time never goes back: a frame that is earlier
// than the one before is taken as of the same time.
//
// A fragment that waits for its datagram's first one leaves with the time of the burst that the first one is
// in; what waits at the capture's end is counted as held.
//
// Every frame comes in at the first port. Next hops lead to the first port that has a next_hop_mac, else to
// the first VLAN that has one, else to the first port. Backends are healthy unless the configuration says
// otherwise.
//
// Threads: one.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <vector>

#include "lib/base/isa.h"
#include "lib/config/machine/model.h"
#include "lib/config/service/model.h"
#include "lib/flow/fragment_table.h"
#include "lib/lb/explain_report.h"
#include "lib/lb/pipeline.h"
#include "lib/lb/schedule.h"
#include "lib/snapshot/view/registry.h"
#include "tools/maglb-replay/capture_reader.h"
#include "tools/maglb-replay/capture_writer.h"
#include "tools/maglb-replay/fixed_next_hops.h"
#include "tools/maglb-replay/report.h"

namespace maglb::replay {

// The example of the documentation: tunnel source 10.0.0.2, one port with an MTU of 1500.
MachineConfig example_machine();

class Replay {
 public:
  // REQUIRES: both configurations have been validated. kInvalid: they do not fit each other.
  // `isa`: the instructions of the packet path; the CPU has them. They change no result.
  static Result<std::unique_ptr<Replay>> create(const ServiceConfig& services, const MachineConfig& machine,
                                                Isa isa = best_isa());

  // Everything that `in` has, through the path; what would be sent goes to `out`, in the order and with
  // the time of the frames that caused it. Once.
  Result<void> run(CaptureReader& in, CaptureWriter& out);

  // Frames of these numbers, the first is 1, are explained before they are served; at most
  // kMostExplained of them.
  static constexpr size_t kMostExplained = 10000;
  struct FrameRange {
    uint64_t first = 0;  // 0: none
    uint64_t last = 0;   // included
  };
  void explain(const FrameRange& frames) { to_explain_ = frames; }
  const std::vector<Explained>& explained() const { return explained_; }

  Report report() const;

 private:
  Replay(const ServiceConfig& services, const MachineConfig& machine, Isa isa);
  Result<void> apply(const ServiceConfig& services);
  Result<void> make_nat(const NatSourceConfig& source);

  void load(const Frame& frame);
  void explain(const Frame& frame, CaptureWriter& out);
  void serve(CaptureWriter& out);
  void sweep();
  size_t sweep_share(size_t places) const;
  void sweep_gap();
  void sweep_slice(size_t buckets, Time now);

  // A worker's buffers: room in front for an outer header, and for the largest frame.
  struct Buffer {
    static constexpr uint16_t kHeadroom = 128;
    static constexpr uint16_t kRoom = 0xffff;
    std::vector<uint8_t> bytes = std::vector<uint8_t>(size_t{kHeadroom} + kRoom);
    uint16_t length = 0;
    Time stamp{0};
  };
  Buffer* free_buffer();
  void add(Buffer* buffer);
  void dispatch(CaptureWriter& out);
  void settle_fragments(CaptureWriter& out);

  // Buffers for the frames that the path makes, made when they are first asked for and kept.
  class ExtraBuffers {
   public:
    FrameBuffers source() { return {take, give_back, this}; }
    void put_back(void* handle) { free_.push_back(static_cast<Buffer*>(handle)); }

   private:
    static bool take(void* self, ExtraFrame& frame);
    static void give_back(void* self, void* handle) { static_cast<ExtraBuffers*>(self)->put_back(handle); }

    std::vector<std::unique_ptr<Buffer>> all_;
    std::vector<Buffer*> free_;
  };

  std::vector<PortView> ports_;
  NextHopTable next_hop_table_;
  FixedNextHops next_hops_;
  Registry registry_;
  std::unique_ptr<const Snapshot> snapshot_;
  std::vector<FlowTable::Bucket> buckets_;
  FlowTable flows_;
  const FlowTable* tables_[1];
  std::optional<NatPorts> nat_ports_;
  std::optional<NatTable> nat_;
  WorkerCounters counters_;
  Scheduling scheduling_;
  FragmentTable fragments_;  // its handles are Buffers
  WorkerContext worker_;

  Batch batch_;
  std::vector<std::unique_ptr<Buffer>> buffers_;  // as many as were ever in use at once
  std::vector<Buffer*> free_;
  std::array<void*, kBatchSize> in_batch_{};  // Buffers: of each packet
  ExtraBuffers extra_buffers_;
  std::shared_ptr<const std::vector<ServiceSpec>> services_;
  std::vector<std::string> link_names_;
  Explainer explainer_;
  FrameRange to_explain_;
  std::vector<Explained> explained_;
  uint64_t frames_ = 0;
  Time burst_begin_{0};
  Time now_{0};
  Time last_sweep_{0};
  Report remarked_;  // only what counters_ has not
};

}  // namespace maglb::replay
