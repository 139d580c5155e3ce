#include "dataplane/port.h"

#include <fmt/format.h>
#include <rte_bus_vdev.h>
#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_mbuf_pool_ops.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstring>
#include <set>
#include <thread>

#include "dataplane/xdp_sockets.h"

namespace maglb {
namespace {

constexpr uint32_t kRing = 1024;
// AF_XDP rings are shared with a kernel that fills them whenever it likes; the driver keeps as many
// buffers again for the kernel to fill.
constexpr uint32_t kXdpRing = 2048;
// A receive and a transmit ring full, and as many again with the workers and in their caches.
constexpr uint32_t kBuffers = 4 * kRing - 1;
constexpr uint32_t kXdpBuffers = 4 * kXdpRing - 1;
constexpr uint32_t kPoolCache = 256;
constexpr uint32_t kFrameOverhead = RTE_ETHER_HDR_LEN + 2 * RTE_VLAN_HLEN;
constexpr uint32_t kXdpHeadroom = 256;  // XDP_PACKET_HEADROOM
constexpr uint32_t kXdpBuffer = 4096;   // a chunk of an XDP umem is a page at most
constexpr uint32_t kBufferOverhead = sizeof(rte_mbuf) + 2 * RTE_CACHE_LINE_SIZE;
// How long a killed instance's program and sockets may take to go.
constexpr Duration kBusyPatience = std::chrono::milliseconds(1500);

uint32_t buffer_bytes_for(const PortPlan& plan) {
  const uint32_t headroom = RTE_PKTMBUF_HEADROOM + (plan.is_af_xdp() ? kXdpHeadroom : 0);
  const uint32_t wanted = headroom + plan.config.mtu + kFrameOverhead;
  return std::max<uint32_t>(RTE_ALIGN_CEIL(wanted, 64U), RTE_MBUF_DEFAULT_BUF_SIZE);
}

Result<void> plan_af_xdp(PortPlan& plan, uint32_t workers) {
  if (plan.config.buffers != 0 && plan.config.buffers < kXdpBuffers) {
    return fail(ErrorKind::kInvalid, fmt::format("buffers {} are fewer than the {} that AF_XDP takes",
                                                 plan.config.buffers, kXdpBuffers));
  }
  const std::string& name = plan.device.interface;
  auto interface = look_up_interface(name);
  if (!interface) {
    return tl::unexpected(std::move(interface.error()));
  }
  if (plan.config.mtu > interface->mtu) {
    return fail(ErrorKind::kInvalid, fmt::format("mtu {} is more than the {} of interface {}",
                                                 plan.config.mtu, interface->mtu, name));
  }
  // What the kernel hands over is bounded by the interface's MTU, not by what is configured here.
  plan.buffer_bytes =
      RTE_ALIGN_CEIL(RTE_PKTMBUF_HEADROOM + kXdpHeadroom + interface->mtu + kFrameOverhead, 64U);
  plan.buffer_bytes = std::max<uint32_t>(plan.buffer_bytes, RTE_MBUF_DEFAULT_BUF_SIZE);
  if (plan.buffer_bytes + kBufferOverhead > kXdpBuffer) {
    return fail(
        ErrorKind::kInvalid,
        fmt::format("interface {} has MTU {}; AF_XDP takes frames that fit a page, up to MTU {}", name,
                    interface->mtu,
                    kXdpBuffer - kBufferOverhead - RTE_PKTMBUF_HEADROOM - kXdpHeadroom - kFrameOverhead));
  }
  if (interface->rx_queues < workers) {
    return fail(ErrorKind::kInvalid,
                fmt::format("interface {} has {} receive queue(s) and there are {} workers: give it more "
                            "(ethtool -L {}) or configure fewer workers",
                            name, interface->rx_queues, workers, name));
  }
  plan.queues = interface->rx_queues;
  plan.buffers_per_queue = plan.config.buffers != 0 ? plan.config.buffers : kXdpBuffers;
  plan.interface = *interface;
  return {};
}

bool has_argument(const std::string& arguments, const std::string& key) {
  return arguments.starts_with(key + "=") || arguments.find("," + key + "=") != std::string::npos;
}

// The device's arguments as configured, and what is ours to add.
std::string af_xdp_arguments(const Device& device, const std::string& suffix, const std::string& program,
                             uint32_t start, uint32_t count) {
  std::string text = fmt::format("{}{},{},xdp_prog={},start_queue={},queue_count={}", device.name, suffix,
                                 device.arguments, program, start, count);
  // The driver's busy polling asks the kernel on every empty poll; without it an idle worker can rest.
  if (!has_argument(device.arguments, "busy_budget")) {
    text += ",busy_budget=0";
  }
  return text;
}

Result<void> refuse_own_arguments(const Device& device) {
  for (const char* key : {"xdp_prog", "start_queue", "queue_count", "shared_umem"}) {
    if (has_argument(device.arguments, key)) {
      return fail(ErrorKind::kInvalid, fmt::format("{} is set by maglb: leave it out of the device", key));
    }
  }
  return {};
}

// A driver that spreads a frame over several buffers needs no large ones for an MTU that default ones do not
// hold: most frames are small. It has to send them as it receives them.
bool may_scatter(const rte_eth_dev_info& info) {
  return (info.rx_offload_capa & RTE_ETH_RX_OFFLOAD_SCATTER) != 0 &&
         (info.tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS) != 0;
}

// AF_XDP takes the pool's memory as one dense array: objects must not be kept from crossing pages, as
// they are by default where pages are small.
rte_mempool* make_pool(const std::string& name, const PortPlan& plan, int socket) {
  const uint32_t flags = plan.device.is_pci() ? 0 : RTE_MEMPOOL_F_NO_IOVA_CONTIG;
  rte_mempool* pool =
      rte_mempool_create_empty(name.c_str(), plan.buffers_per_queue, sizeof(rte_mbuf) + plan.buffer_bytes,
                               kPoolCache, sizeof(rte_pktmbuf_pool_private), socket, flags);
  if (pool == nullptr) {
    return nullptr;
  }
  rte_pktmbuf_pool_private settings{};
  settings.mbuf_data_room_size = static_cast<uint16_t>(plan.buffer_bytes);
  if (rte_mempool_set_ops_byname(pool, rte_mbuf_best_mempool_ops(), nullptr) != 0) {
    rte_mempool_free(pool);
    return nullptr;
  }
  rte_pktmbuf_pool_init(pool, &settings);
  if (rte_mempool_populate_default(pool) < 0) {
    rte_mempool_free(pool);
    return nullptr;
  }
  rte_mempool_obj_iter(pool, rte_pktmbuf_init, nullptr);
  return pool;
}

}  // namespace

uint64_t PortPlan::memory_bytes() const {
  return uint64_t{queues} * buffers_per_queue * (buffer_bytes + kBufferOverhead);
}

Result<PortPlan> plan_port(const PortConfig& config, uint32_t workers) {
  PortPlan plan;
  plan.config = config;
  auto device = parse_device(config.device);
  if (!device) {
    return tl::unexpected(std::move(device.error()).within("port " + config.name));
  }
  plan.device = std::move(*device);
  plan.queues = workers;
  plan.buffers_per_queue = config.buffers != 0 ? config.buffers : kBuffers;
  plan.buffer_bytes = buffer_bytes_for(plan);
  if (plan.is_af_xdp()) {
    auto planned = refuse_own_arguments(plan.device).and_then([&] { return plan_af_xdp(plan, workers); });
    if (!planned) {
      return tl::unexpected(std::move(planned.error()).within("port " + config.name));
    }
  }
  return plan;
}

Port::Port(const PortPlan& plan, uint8_t index, const std::vector<int>& sockets)
    : plan_(plan), index_(index), sockets_(sockets) {}

Result<std::unique_ptr<Port>> Port::open(const PortPlan& plan, uint8_t index,
                                         const std::vector<int>& sockets) {
  std::unique_ptr<Port> port(new Port(plan, index, sockets));
  auto opened = port->open_devices().and_then([&] { return port->start(); }).and_then([&] {
    return port->read_facts();
  });
  if (!opened) {
    return tl::unexpected(std::move(opened.error()).within("port " + plan.config.name));
  }
  return port;
}

Port::~Port() {
  // Of the devices of one interface the first to close takes the program off, the others find none.
  steering_.reset();
  for (const uint16_t device : devices_) {
    rte_eth_dev_stop(device);
    rte_eth_dev_close(device);
  }
  for (rte_mempool* pool : pools_) {
    rte_mempool_free(pool);
  }
}

Result<uint16_t> Port::probe(const std::string& arguments) {
  const std::string name = arguments.substr(0, arguments.find(','));
  uint16_t device = 0;
  if (rte_eth_dev_get_port_by_name(name.c_str(), &device) != 0) {
    const int rc = rte_dev_probe(arguments.c_str());
    if (rc != 0 || rte_eth_dev_get_port_by_name(name.c_str(), &device) != 0) {
      return fail(ErrorKind::kSystem,
                  fmt::format("device {} cannot be opened: {}{}", plan_.config.device,
                              rte_strerror(rc < 0 ? -rc : rte_errno),
                              plan_.device.is_pci() ? " (is it bound to a driver that DPDK can use?)" : ""));
    }
  }
  devices_.push_back(device);
  return device;
}

Result<void> Port::open_devices() {
  if (!plan_.is_af_xdp()) {
    const auto device = probe(plan_.device.is_pci() ? plan_.device.name : plan_.config.device);
    return device ? configure(*device, plan_.queues) : tl::unexpected(device.error());
  }
  auto claim = InterfaceClaim::take(plan_.device.interface, plan_.interface->index, kBusyPatience);
  if (!claim) {
    return tl::unexpected(std::move(claim.error()));
  }
  claim_.emplace(std::move(*claim));
  if (auto cleared = clear_leftover_steering(plan_.device.interface, kBusyPatience); !cleared) {
    return cleared;
  }
  auto program = SteeringObject::create();
  if (!program) {
    return tl::unexpected(std::move(program.error()));
  }
  program_ = std::move(*program);
  const bool together = plan_.interface->combined_queues;
  for (uint32_t queue = 0; queue < plan_.queues; queue += together ? plan_.queues : 1) {
    const auto device = probe(af_xdp_arguments(plan_.device, queue == 0 ? "" : fmt::format("q{}", queue),
                                               program_->path(), queue, together ? plan_.queues : 1));
    if (!device) {
      return tl::unexpected(device.error());
    }
  }
  XdpSockets sockets(plan_.interface->index);
  for (const uint16_t device : devices_) {
    const auto first = static_cast<uint32_t>(rx_.size());
    auto done = sockets.before_setup()
                    .and_then([&] { return configure(device, together ? plan_.queues : 1); })
                    .and_then([&] { return sockets.after_setup(first, rx_[first].socket); });
    if (!done) {
      return done;
    }
  }
  return {};
}

Result<void> Port::configure(uint16_t device, uint32_t queues) {
  rte_eth_dev_info info;
  if (const int rc = rte_eth_dev_info_get(device, &info); rc != 0) {
    return fail(ErrorKind::kSystem,
                fmt::format("the device does not describe itself: {}", rte_strerror(-rc)));
  }
  const uint32_t most = std::min(info.max_rx_queues, info.max_tx_queues);
  if (most < queues) {
    return fail(ErrorKind::kInvalid, fmt::format("device {} has {} queue(s) and there are {} workers",
                                                 plan_.device.name, most, queues));
  }
  rte_eth_conf conf{};
  if (plan_.device.is_pci()) {
    conf.rxmode.mtu = plan_.config.mtu;
  }
  // Where the MTU is that of default buffers nothing in several is to be sent, and drivers have faster ways.
  const bool is_jumbo = plan_.buffer_bytes > RTE_MBUF_DEFAULT_BUF_SIZE;
  const uint64_t gathers = is_jumbo ? info.tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS : uint64_t{0};
  conf.txmode.offloads |= gathers;
  // The driver of captures does not say that it gathers.
  const bool takes_segments = gathers != 0 || (is_jumbo && plan_.device.driver == "net_pcap");
  if (is_jumbo && !plan_.is_af_xdp() && may_scatter(info)) {
    plan_.buffer_bytes = RTE_MBUF_DEFAULT_BUF_SIZE;
    conf.rxmode.offloads |= RTE_ETH_RX_OFFLOAD_SCATTER;
  }
  const uint64_t spread = info.flow_type_rss_offloads & (RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP);
  if (queues > 1 && spread != 0 && plan_.device.is_pci()) {
    conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
    conf.rx_adv_conf.rss_conf.rss_hf = spread;
  }
  const auto count = static_cast<uint16_t>(queues);
  if (const int rc = rte_eth_dev_configure(device, count, count, &conf); rc != 0) {
    return fail(ErrorKind::kSystem,
                fmt::format("device {} does not take {} queue(s) and MTU {}: {}", plan_.device.name, queues,
                            plan_.config.mtu, rte_strerror(-rc)));
  }
  uint16_t rx_ring = plan_.is_af_xdp() ? kXdpRing : kRing;
  uint16_t tx_ring = rx_ring;
  rte_eth_dev_adjust_nb_rx_tx_desc(device, &rx_ring, &tx_ring);
  for (uint16_t queue = 0; queue < count; ++queue) {
    const auto number = static_cast<uint32_t>(rx_.size());
    if (auto done = set_up_queue(device, queue, number, rx_ring); !done) {
      return done;
    }
    const int socket = sockets_[number % sockets_.size()];
    if (const int rc = rte_eth_tx_queue_setup(device, queue, tx_ring, static_cast<unsigned>(socket), nullptr);
        rc != 0) {
      return fail(ErrorKind::kSystem, fmt::format("transmit queue {}: {}", number, rte_strerror(-rc)));
    }
    tx_.push_back({device, queue, takes_segments});
  }
  return {};
}

// The queue of a killed instance is busy until the kernel has cleaned up behind it. A failed setup of
// the AF_XDP driver keeps buffers: each try has a pool of its own.
Result<void> Port::set_up_queue(uint16_t device, uint16_t queue, uint32_t number, uint16_t rx_ring) {
  const int socket = sockets_[number % sockets_.size()];
  const Time deadline = monotonic_now() + kBusyPatience;
  for (int attempt = 0;; ++attempt) {
    const std::set<int> sockets = plan_.is_af_xdp() ? xdp_sockets_of_this_process() : std::set<int>{};
    rte_mempool* pool = make_pool(fmt::format("p{}q{}t{}", index_, number, attempt), plan_, socket);
    if (pool == nullptr) {
      return fail(
          ErrorKind::kSystem,
          fmt::format("no memory for {} buffers of {} bytes ({}): raise memory: size, or leave it out",
                      plan_.buffers_per_queue, plan_.buffer_bytes, rte_strerror(rte_errno)));
    }
    const int rc =
        rte_eth_rx_queue_setup(device, queue, rx_ring, static_cast<unsigned>(socket), nullptr, pool);
    if (rc == 0) {
      pools_.push_back(pool);
      rx_.push_back({{device, queue}, index_, plan_.is_af_xdp() ? xdp_socket_since(sockets) : -1});
      return {};
    }
    rte_mempool_free(pool);
    if (!plan_.is_af_xdp() || monotonic_now() >= deadline) {
      // The driver left this device half made: closing it would use what it freed.
      devices_.erase(std::remove(devices_.begin(), devices_.end(), device), devices_.end());
      if (plan_.is_af_xdp()) {
        (void)clear_leftover_steering(plan_.device.interface, Duration(0));
      }
      return fail(
          ErrorKind::kSystem,
          fmt::format("receive queue {} of device {}: {}{}", number, plan_.device.name, rte_strerror(-rc),
                      plan_.is_af_xdp() ? " (does another program use the queue?)" : ""));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

Result<void> Port::start() {
  for (const uint16_t device : devices_) {
    if (const int rc = rte_eth_dev_start(device); rc != 0) {
      return fail(ErrorKind::kSystem,
                  fmt::format("device {} does not start: {}", plan_.device.name, rte_strerror(-rc)));
    }
    // Frames to other addresses are of no use; a driver that cannot say no delivers them, and the
    // path sorts them out. AF_XDP and tap would change the kernel's interface.
    if (plan_.device.is_pci()) {
      rte_eth_promiscuous_disable(device);
    }
  }
  if (!plan_.is_af_xdp()) {
    return {};
  }
  auto steering = Steering::open(plan_.device.interface);
  if (!steering) {
    return tl::unexpected(std::move(steering.error()));
  }
  steering_ = std::move(*steering);
  return {};
}

Result<void> Port::read_facts() {
  rte_ether_addr mac;
  rte_eth_dev_info info;
  if (rte_eth_macaddr_get(devices_.front(), &mac) != 0 ||
      rte_eth_dev_info_get(devices_.front(), &info) != 0) {
    return fail(ErrorKind::kSystem, "the device does not tell its MAC address");
  }
  std::memcpy(view_.mac.bytes.data(), mac.addr_bytes, sizeof mac.addr_bytes);
  view_.mtu = plan_.config.mtu;
  ifindex_ = plan_.interface ? plan_.interface->index : 0;
  // pcap and others name an interface that is not theirs to send through.
  if (plan_.device.driver == "net_tap") {
    ifindex_ = static_cast<int>(info.if_index);
  }
  return {};
}

std::vector<RxQueue> Port::rx_queues(uint32_t worker) const {
  std::vector<RxQueue> queues;
  for (size_t queue = worker; queue < rx_.size(); queue += sockets_.size()) {
    queues.push_back(rx_[queue]);
  }
  return queues;
}

Port::Figures Port::figures() const {
  Figures figures;
  for (const uint16_t device : devices_) {
    rte_eth_stats stats;
    if (rte_eth_stats_get(device, &stats) == 0) {
      figures.rx_packets += stats.ipackets;
      figures.tx_packets += stats.opackets;
      figures.rx_missed += stats.imissed;
      figures.tx_errors += stats.oerrors;
    }
  }
  if (plan_.interface) {
    const auto interface = look_up_interface(plan_.device.interface);
    figures.link_up = interface && interface->up;
    return figures;
  }
  rte_eth_link link{};
  figures.link_up =
      rte_eth_link_get_nowait(devices_.front(), &link) == 0 && link.link_status == RTE_ETH_LINK_UP;
  return figures;
}

}  // namespace maglb
