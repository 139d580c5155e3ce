// Where workers' memory lies: no cache line is written by two of them, and each keeps to the memory of its
// socket. Nothing of DPDK runs here.
#include <gtest/gtest.h>

#include <array>
#include <map>
#include <memory>

#include "dataplane/worker.h"

namespace maglb {
namespace {

constexpr size_t kServices = 5;
constexpr size_t kBackends = 7;
constexpr size_t kFlows = 1024;
const std::array kNatSources = {IpPrefix(IpAddress::v4(std::array<uint8_t, 4>{10, 0, 0, 9}))};

// A socket's memory that packs what it gives as tightly as the alignment lets it.
class Socket {
 public:
  std::pmr::memory_resource* memory() { return &packed_; }
  bool has(LineMemory::Range range) const {
    return range.data() >= room_.get() && range.data() + range.size() <= room_.get() + kBytes;
  }

 private:
  static constexpr size_t kBytes =
      64 << 20;  // two workers' tables of 16 MiB, the smallest there are, and of nat
  std::unique_ptr<std::byte[]> room_ = std::make_unique_for_overwrite<std::byte[]>(kBytes);
  std::pmr::monotonic_buffer_resource packed_{room_.get(), kBytes, std::pmr::null_memory_resource()};
};

class WorkerMemory : public testing::Test {
 protected:
  static constexpr uint32_t kWorkers = 4;

  WorkerMemory() {
    for (uint32_t i = 0; i < kWorkers; ++i) {
      const size_t socket = i % sockets_.size();
      workers_.push_back(
          Worker::create({i, i, i + 1, socket}, shared_, published_, kFlows, sockets_[socket].memory()));
      tables_.push_back(&workers_.back()->flows());
      inboxes_.push_back(&workers_.back()->inbox());
      // Somebody else's, between the workers' memory.
      (void)sockets_[socket].memory()->allocate(1, 1);
    }
    const RxQueue queue;
    const std::array<QueueId, 2> transmit{};
    for (const auto& worker : workers_) {
      worker->connect(tables_, inboxes_, {&queue, 1}, transmit);
    }
  }

  bool worker_has(const Worker& worker, const void* from, size_t bytes) const {
    const auto* first = static_cast<const std::byte*>(from);
    for (const LineMemory::Range range : worker.memory()) {
      if (first >= range.data() && first + bytes <= range.data() + range.size()) {
        return true;
      }
    }
    return false;
  }

  std::array<Socket, 2> sockets_;
  Grace grace_{kWorkers};
  std::atomic<bool> stop_{false};
  NextHopTable next_hops_{8};
  NatPorts nat_ports_ = NatPorts::make(kNatSources, {}, kWorkers).value();
  std::array<PortView, 2> ports_;
  std::atomic<const Snapshot*> published_{nullptr};
  Worker::Shared shared_{TscClock(1'000'000'000),
                         grace_,
                         stop_,
                         next_hops_,
                         ports_,
                         {},
                         {},
                         {},
                         kServices,
                         kBackends,
                         IdlePolicy::kPoll,
                         path_of(Isa::kBaseline),
                         &nat_ports_,
                         kWorkers};
  std::vector<Worker::Owner> workers_;
  std::vector<const FlowTable*> tables_;
  std::vector<Inbox*> inboxes_;
};

TEST_F(WorkerMemory, NoCacheLineHasTwoWriters) {
  std::map<uintptr_t, uint32_t> owner_of_line;
  for (const auto& worker : workers_) {
    for (const LineMemory::Range range : worker->memory()) {
      const auto begin = reinterpret_cast<uintptr_t>(range.data());
      EXPECT_EQ(begin % kLine, 0u);
      EXPECT_EQ(range.size() % kLine, 0u);
      for (uintptr_t line = begin / kLine; line < (begin + range.size()) / kLine; ++line) {
        EXPECT_TRUE(owner_of_line.emplace(line, worker->place().number).second)
            << "two have line " << line << ", one of them worker " << worker->place().number;
      }
    }
  }
}

TEST_F(WorkerMemory, IsThatOfTheWorkersSocket) {
  for (const auto& worker : workers_) {
    for (const LineMemory::Range range : worker->memory()) {
      EXPECT_TRUE(sockets_[worker->place().socket].has(range));
      EXPECT_FALSE(sockets_[1 - worker->place().socket].has(range));
    }
  }
}

TEST_F(WorkerMemory, HoldsItsCountersAndItsFlowTable) {
  for (const auto& worker : workers_) {
    const WorkerCounters& counters = worker->counters();
    EXPECT_TRUE(worker_has(*worker, &counters, sizeof counters));
    EXPECT_TRUE(worker_has(*worker, counters.services.data(), kServices * sizeof(TrafficCounters)));
    EXPECT_TRUE(worker_has(*worker, counters.backends.data(), kBackends * sizeof(TrafficCounters)));
    EXPECT_TRUE(worker_has(*worker, &worker->flows(), sizeof worker->flows()));
    uint64_t bytes = 0;
    for (const LineMemory::Range range : worker->memory()) {
      bytes += range.size();
    }
    EXPECT_GE(bytes, Worker::memory_bytes(kFlows, &nat_ports_, kServices, kBackends, 1));
  }
}

TEST_F(WorkerMemory, OneServicesCountersAreOnOneLine) {
  const WorkerCounters& counters = workers_.front()->counters();
  for (const auto* array : {&counters.services, &counters.backends}) {
    for (const TrafficCounters& one : *array) {
      const auto begin = reinterpret_cast<uintptr_t>(&one);
      EXPECT_EQ(begin / kLine, (begin + sizeof one - 1) / kLine);
    }
  }
}

TEST_F(WorkerMemory, IsGivenBack) {
  class Counting final : public std::pmr::memory_resource {
   public:
    size_t taken = 0;

   private:
    void* do_allocate(size_t bytes, size_t alignment) override {
      taken += bytes;
      return std::pmr::new_delete_resource()->allocate(bytes, alignment);
    }
    void do_deallocate(void* memory, size_t bytes, size_t alignment) override {
      taken -= bytes;
      std::pmr::new_delete_resource()->deallocate(memory, bytes, alignment);
    }
    bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
      return this == &other;
    }
  };
  Counting memory;
  Worker::create({0, 0, 1, 0}, shared_, published_, kFlows, &memory).reset();
  EXPECT_EQ(memory.taken, 0u);
}

}  // namespace
}  // namespace maglb
