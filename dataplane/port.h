// A configured port: its devices (DPDK ethdevs), their queues, and what the packet path needs to know
// of it. Mostly a port is one device; an AF_XDP interface whose queues the driver cannot take together
// is one device a queue.
//
// Which worker receives from which queue: queue q belongs to worker q modulo the number of workers, so
// that every queue of an interface is served. Worker w sends through queue w.
//
// Threads: the main core.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dataplane/kernel_interface.h"
#include "dataplane/queue.h"
#include "lib/base/error.h"
#include "lib/bpf/steering.h"
#include "lib/config/machine/device.h"
#include "lib/config/machine/model.h"
#include "lib/lb/worker_context.h"

struct rte_mempool;

namespace maglb {

// What is known of a port before DPDK is: from its configuration and the kernel.
struct PortPlan {
  PortConfig config;
  Device device;
  std::optional<KernelInterface> interface;  // of an AF_XDP port
  uint32_t queues = 1;                       // receive queues, at least one a worker
  uint32_t buffers_per_queue = 0;
  uint32_t buffer_bytes = 0;  // room for data, headroom included

  bool is_af_xdp() const { return device.driver == "net_af_xdp"; }
  // All of its buffers, with what DPDK puts around them.
  uint64_t memory_bytes() const;
};

Result<PortPlan> plan_port(const PortConfig& config, uint32_t workers);

class Port {
 public:
  struct Figures {
    bool link_up = false;
    uint64_t rx_packets = 0;
    uint64_t tx_packets = 0;
    uint64_t rx_missed = 0;
    uint64_t tx_errors = 0;
  };

  // REQUIRES: EAL is up. `sockets`: the NUMA socket of each worker. Errors name the port.
  static Result<std::unique_ptr<Port>> open(const PortPlan& plan, uint8_t index,
                                            const std::vector<int>& sockets);
  ~Port();
  Port(const Port&) = delete;
  Port& operator=(const Port&) = delete;

  const PortConfig& config() const { return plan_.config; }
  const PortView& view() const { return view_; }
  // 0: the port has no kernel interface.
  int ifindex() const { return ifindex_; }
  // Null: nothing is steered, the port sees every packet.
  Steering* steering() { return steering_ ? &*steering_ : nullptr; }

  std::vector<RxQueue> rx_queues(uint32_t worker) const;
  QueueId tx_queue(uint32_t worker) const { return tx_[worker]; }
  Figures figures() const;

 private:
  Port(const PortPlan& plan, uint8_t index, const std::vector<int>& sockets);

  Result<void> open_devices();
  Result<uint16_t> probe(const std::string& arguments);
  Result<void> configure(uint16_t device, uint32_t queues);
  Result<void> set_up_queue(uint16_t device, uint16_t queue, uint32_t number, uint16_t rx_ring);
  Result<void> start();
  Result<void> read_facts();

  PortPlan plan_;
  uint8_t index_;
  std::vector<int> sockets_;
  PortView view_;
  int ifindex_ = 0;
  std::vector<uint16_t> devices_;
  std::vector<RxQueue> rx_;
  std::vector<QueueId> tx_;
  std::vector<rte_mempool*> pools_;      // one a receive queue, freed after the devices
  std::optional<InterfaceClaim> claim_;  // of an AF_XDP port
  std::optional<SteeringObject> program_;
  std::optional<Steering> steering_;
};

}  // namespace maglb
