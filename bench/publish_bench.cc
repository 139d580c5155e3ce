// What a publication costs, under full load: the real Registry, Publisher and Grace on this thread
// (core 0), and one thread on core 1 that is to the packet path what a worker is, without a driver. One
// backend of a pool flaps; both tables are built beforehand.
//
//   publish_bench [--quick]
//
// Prints one JSON object. p50_us, p99_us: from before publish() until every worker has left the state
// before, freeing it included, a millisecond apart. max_rate_hz: as many as go, one behind the other.
// throughput_loss_percent: of the worker's packets per second of its core, at 1,000 changes a second
// against none; the median of pairs.
#include <pthread.h>
#include <sched.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <memory_resource>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "dataplane/grace.h"
#include "dataplane/publisher.h"
#include "lib/base/check.h"
#include "lib/lb/pipeline.h"
#include "tests/support/packet_builder.h"

namespace maglb {
namespace {

using std::chrono::duration;
using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr uint32_t kFlows = 65536;
constexpr uint16_t kBackends = 100;
constexpr uint32_t kSlots = 65537;
constexpr uint16_t kFrameBytes = 64;
constexpr uint16_t kHeadroom = 128;
constexpr auto kPeriod = milliseconds(1);

struct Plan {
  size_t publications = 5000;
  Duration flood = std::chrono::seconds(2);
  int pairs = 11;
  Duration window = milliseconds(500);

  static Plan quick() { return {2000, milliseconds(500), 7, milliseconds(200)}; }
};

// Every backend is reached; what the next hops cost is not asked here.
class SomeNextHops final : public NextHopSource {
 public:
  SomeNextHops() : table(2 * kBackends) {}

  Result<uint32_t> acquire(const IpAddress&, ForwardMode) override {
    check(next_ < table.limit(), "each backend is acquired once for each mode");
    table.set(next_, {MacAddress{{2, 0, 0, 0, 0, 1}}, 0});
    return next_++;
  }
  void release(uint32_t) override {}

  NextHopTable table;

 private:
  uint32_t next_ = 0;
};

// The flow's packets as a driver would hand them over: copied into buffers that stay in the cache.
class Traffic {
 public:
  Traffic() {
    for (uint32_t flow = 0; flow < kFlows; ++flow) {
      const std::string source =
          "10.128." + std::to_string(flow >> 8 & 0xff) + "." + std::to_string(flow & 0xff);
      const testing::Bytes frame =
          testing::Frame().from(source, 40000).to("198.51.100.1", 80).tcp("A").payload(10).bytes();
      check(frame.size() == kFrameBytes, "the frame has its size");
      std::copy(frame.begin(), frame.end(), frames_.emplace_back().begin());
    }
    std::shuffle(frames_.begin(), frames_.end(), std::mt19937(7));
  }

  void next(Batch& batch) {
    batch.clear();
    for (auto& buffer : buffers_) {
      std::memcpy(buffer.data() + kHeadroom, frames_[at_++ % kFlows].data(), kFrameBytes);
      batch.add({buffer.data() + kHeadroom, kFrameBytes, kHeadroom, 0, 0});
    }
  }

 private:
  std::vector<std::array<uint8_t, kFrameBytes>> frames_;
  struct alignas(64) Buffer : std::array<uint8_t, kHeadroom + kFrameBytes> {};
  std::array<Buffer, kBatchSize> buffers_;
  size_t at_ = 0;
};

void pin_to(pthread_t thread, int core) {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  CPU_SET(core, &cores);
  check(pthread_setaffinity_np(thread, sizeof cores, &cores) == 0, "the core is there and ours");
}

// A worker without a driver: reader 0.
class Worker {
 public:
  Worker(Grace& grace, const std::atomic<const Snapshot*>& published, const NextHopTable& next_hops)
      : grace_(grace),
        published_(published),
        buckets_(FlowTable::buckets_for(size_t{4} * kFlows)),
        flows_(buckets_),
        tables_{&flows_},
        counters_(1, kBackends),
        ports_{PortView{MacAddress{{2, 0, 0, 0, 0, 0xaa}}}},
        context_{flows_,
                 tables_,
                 counters_,
                 next_hops,
                 ports_,
                 SipKey{1, 2},
                 IpAddress::v4(std::array<uint8_t, 4>{10, 0, 0, 2})},
        thread_([this] { run(); }) {
    pin_to(thread_.native_handle(), 1);
  }
  ~Worker() {
    stop_.store(true, std::memory_order_relaxed);
    thread_.join();
  }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  uint64_t sent() const { return counters_.sent.value(); }
  // Packets a second over the time given, while `meanwhile` runs over and over. A second of the worker's
  // own: what another process takes from its core is no loss of ours.
  double rate(Duration time, const std::function<void()>& meanwhile) {
    const Time begin = monotonic_now();
    const double used_before = cpu_seconds();
    const uint64_t before = sent();
    while (monotonic_now() - begin < time) {
      meanwhile();
    }
    const uint64_t packets = sent() - before;
    return static_cast<double>(packets) / (cpu_seconds() - used_before);
  }

 private:
  double cpu_seconds() {
    clockid_t clock;
    timespec used{};
    check(pthread_getcpuclockid(thread_.native_handle(), &clock) == 0 && clock_gettime(clock, &used) == 0,
          "a thread has a clock");
    return static_cast<double>(used.tv_sec) + 1e-9 * static_cast<double>(used.tv_nsec);
  }

  void run() {
    grace_.online(0);
    while (!stop_.load(std::memory_order_relaxed)) {
      // Pairs with the release in Publisher::publish().
      if (const Snapshot* snapshot = published_.load(std::memory_order_acquire); snapshot != nullptr) {
        burst(*snapshot);
      }
      grace_.quiescent(0);
    }
    grace_.offline(0);
  }

  void burst(const Snapshot& snapshot) {
    traffic_.next(batch_);
    process(batch_, snapshot, context_, monotonic_now());
    for (const Verdict verdict : batch_.verdicts) {
      check(verdict == Verdict::kSend, "every packet is sent");
    }
    counters_.sent.add(batch_.size);
  }

  Grace& grace_;
  const std::atomic<const Snapshot*>& published_;
  std::vector<FlowTable::Bucket> buckets_;
  FlowTable flows_;
  std::array<const FlowTable*, 1> tables_;
  WorkerCounters counters_;
  std::array<PortView, 1> ports_;
  WorkerContext context_;
  Traffic traffic_;
  Batch batch_;
  std::atomic<bool> stop_{false};
  std::thread thread_;  // last: it uses the others
};

// `down`: the backend that fails its probes, or kNoBackend.
std::shared_ptr<const PoolSpec> pool_with(uint16_t down) {
  auto pool = std::make_shared<PoolSpec>();
  pool->name = "web";
  for (uint16_t i = 0; i < kBackends; ++i) {
    pool->backends.push_back({"backend" + std::to_string(i),
                              IpAddress::v4(std::array<uint8_t, 4>{10, 0, 1, static_cast<uint8_t>(1 + i)}),
                              100, i == down ? BackendState::kUnhealthy : BackendState::kUp});
  }
  for (uint32_t slot = 0; slot < kSlots; ++slot) {
    const auto place = static_cast<uint16_t>(slot * 40503 % kBackends);
    pool->slots.push_back(place == down ? static_cast<uint16_t>((place + 1 + slot % 99) % kBackends) : place);
  }
  return pool;
}

ServiceSpec service() {
  ServiceSpec service;
  service.name = "web";
  service.address = IpAddress::v4(std::array<uint8_t, 4>{198, 51, 100, 1});
  service.port = 80;
  service.pool = "web";
  service.opening_timeout = service.closing_timeout = service.udp_timeout = std::chrono::seconds(60);
  service.established_timeout = std::chrono::minutes(15);
  return service;
}

// One backend's health, to and fro.
class Flap {
 public:
  explicit Flap(Publisher& publisher) : publisher_(publisher), pools_{pool_with(kNoBackend), pool_with(42)} {
    Change change;
    change.pools = {pools_[0]};
    change.services = {service()};
    publish(change);
  }

  void once() {
    Change change;
    change.base_generation = generation_;
    change.pools = {pools_[generation_ % 2]};
    publish(change);
  }
  void finish() {
    while (publisher_.waiting() != 0) {
      publisher_.reclaim();
    }
  }

 private:
  void publish(Change& change) {
    change.generation = ++generation_;
    check(publisher_.publish(change).has_value(), "the change is a good one");
  }

  Publisher& publisher_;
  std::array<std::shared_ptr<const PoolSpec>, 2> pools_;
  uint64_t generation_ = 0;
};

double quantile(std::vector<double> values, double share) {
  const auto at =
      values.begin() + static_cast<std::ptrdiff_t>(share * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

std::vector<double> latencies_us(Flap& flap, size_t count) {
  std::vector<double> latencies;
  for (size_t i = 0; i < count; ++i) {
    std::this_thread::sleep_for(kPeriod);
    const Time begin = monotonic_now();
    flap.once();
    flap.finish();
    latencies.push_back(duration<double, std::micro>(monotonic_now() - begin).count());
  }
  return latencies;
}

double max_rate_hz(Flap& flap, Duration time) {
  const Time begin = monotonic_now();
  size_t count = 0;
  for (; monotonic_now() - begin < time; ++count) {
    flap.once();
  }
  flap.finish();
  return static_cast<double>(count) / duration<double>(monotonic_now() - begin).count();
}

// The two windows of a pair change places from pair to pair, so that a drift of the machine counts for
// neither side.
double loss_percent(Flap& flap, Worker& worker, const Plan& plan) {
  auto next = std::chrono::steady_clock::now();
  const auto changing = [&] {
    next = std::max(next + kPeriod, std::chrono::steady_clock::now() - kPeriod);
    std::this_thread::sleep_until(next);
    flap.once();
  };
  const auto still = [] { std::this_thread::sleep_for(kPeriod); };
  std::vector<double> losses;
  for (int pair = 0; pair < plan.pairs; ++pair) {
    const bool still_first = pair % 2 == 0;
    const double first = still_first ? worker.rate(plan.window, still) : worker.rate(plan.window, changing);
    const double second = still_first ? worker.rate(plan.window, changing) : worker.rate(plan.window, still);
    losses.push_back(100 * (still_first ? 1 - second / first : 1 - first / second));
  }
  return quantile(losses, 0.5);
}

void run(const Plan& plan) {
  pin_to(pthread_self(), 0);
  SomeNextHops next_hops;
  Registry registry({}, next_hops, {std::pmr::new_delete_resource()});
  Grace grace(1);
  Publisher publisher(registry, grace, 1);
  Worker worker(grace, publisher.published(0), next_hops.table);
  Flap flap(publisher);
  // Every flow is established after two packets.
  while (worker.sent() < 4 * uint64_t{kFlows}) {
    std::this_thread::sleep_for(kPeriod);
  }
  const std::vector<double> latencies = latencies_us(flap, plan.publications);
  const double rate = max_rate_hz(flap, plan.flood);
  const double loss = loss_percent(flap, worker, plan);
  std::printf(
      "{\"p50_us\": %.1f, \"p99_us\": %.1f, \"max_rate_hz\": %.0f, \"throughput_loss_percent\": %.2f}\n",
      quantile(latencies, 0.5), quantile(latencies, 0.99), rate, loss);
}

}  // namespace
}  // namespace maglb

int main(int argc, char** argv) {
  const bool quick = argc == 2 && std::string_view(argv[1]) == "--quick";
  if (argc != 1 && !quick) {
    std::fprintf(stderr, "usage: publish_bench [--quick]\n");
    return 2;
  }
  maglb::run(quick ? maglb::Plan::quick() : maglb::Plan{});
  return 0;
}
