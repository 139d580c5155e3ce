// Fragments on the bench: workers that hand over to each other and keep buffers, as the dataplane's do.
#include "lib/lb/fragments.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <numeric>
#include <random>
#include <vector>

#include "lib/flow/fragment_table.h"
#include "tests/support/lb_rig.h"

namespace maglb {
namespace {

using testing::Bytes;
using testing::Frame;
using testing::Rig;

class Bench : public Rig {
 public:
  explicit Bench(size_t workers = 1, const FragmentTable::Limits& limits = {}) : Rig(workers) {
    slots = {0, 1, 2, 3, 1, 2, 0, 3, 2, 1};
    publish();
    for (size_t i = 0; i < workers; ++i) {
      fragments_.push_back(std::make_unique<FragmentTable>(SipKey{1, 2}, limits));
      worker(i).number = static_cast<uint32_t>(i);
      worker(i).workers = static_cast<uint32_t>(workers);
      worker(i).fragments = fragments_.back().get();
    }
    workers_ = workers;
  }

  // Received by `at`; what leaves anywhere is in sent().
  void give(const Bytes& frame, size_t at = 0) {
    ++given_;
    serve({keep(frame)}, at, false, false);
    ASSERT_TRUE(adds_up());
  }
  void pass(Duration time) {
    now += time;
    for (size_t i = 0; i < workers_; ++i) {
      take_all_back(i);
    }
    ASSERT_TRUE(adds_up());
  }

  const std::vector<Bytes>& sent() const { return sent_; }
  uint64_t kernel() const { return kernel_; }
  uint64_t held() {
    uint64_t sum = 0;
    for (size_t i = 0; i < workers_; ++i) {
      sum += counters(i).held.value();
    }
    return sum;
  }
  uint64_t lost(DropReason reason) const {
    uint64_t sum = 0;
    for (size_t i = 0; i < workers_; ++i) {
      sum += dropped(reason, i);
    }
    return sum;
  }
  size_t buffers_out() const {
    return static_cast<size_t>(
        std::count_if(buffers_.begin(), buffers_.end(), [](const Buffer& buffer) { return buffer.is_out; }));
  }

 private:
  static constexpr uint16_t kHeadroom = 128;
  struct Buffer {
    std::vector<uint8_t> bytes;
    bool is_out = true;
  };

  Buffer* keep(const Bytes& frame) {
    buffers_.emplace_back();
    buffers_.back().bytes.assign(kHeadroom, 0);
    buffers_.back().bytes.insert(buffers_.back().bytes.end(), frame.begin(), frame.end());
    return &buffers_.back();
  }

  void serve(const std::vector<Buffer*>& buffers, size_t at, bool is_handed, bool is_released) {
    Batch batch;
    batch.clear();
    std::array<void*, kBatchSize> handles{};
    for (Buffer* buffer : buffers) {
      handles[batch.size] = buffer;
      batch.add({buffer->bytes.data() + kHeadroom, static_cast<uint16_t>(buffer->bytes.size() - kHeadroom),
                 kHeadroom, 0, 0});
    }
    batch.is_handed = is_handed;
    batch.is_released = is_released;
    batch.handles = handles.data();
    process(batch, snapshot(), worker(at), now);
    settle(batch, at);
    std::vector<std::pair<Buffer*, size_t>> for_others;
    for (uint32_t i = 0; i < batch.size; ++i) {
      const Packet& packet = batch.packets[i];
      buffers[i]->is_out = batch.verdicts[i] == Verdict::kHeld || batch.verdicts[i] == Verdict::kHandOver;
      if (batch.verdicts[i] == Verdict::kSend) {
        sent_.emplace_back(packet.data, packet.data + packet.length);
      } else if (batch.verdicts[i] == Verdict::kHandOver) {
        EXPECT_FALSE(is_handed || is_released);
        EXPECT_NE(batch.targets[i], at);
        for_others.emplace_back(buffers[i], batch.targets[i]);
      }
      kernel_ += batch.verdicts[i] == Verdict::kKernel ? 1 : 0;
    }
    if (!is_released) {
      take_all_back(at);
    }
    for (const auto& [buffer, target] : for_others) {
      serve({buffer}, target, true, false);
    }
  }

  void take_all_back(size_t at) {
    std::array<uintptr_t, kBatchSize> handles;
    for (;;) {
      const Returned returned = take_back(worker(at), handles, now);
      if (returned.kind == TakenBack::kNone) {
        return;
      }
      std::vector<Buffer*> buffers;
      for (uint32_t i = 0; i < returned.count; ++i) {
        buffers.push_back(reinterpret_cast<Buffer*>(handles[i]));
        EXPECT_TRUE(buffers.back()->is_out) << "given back twice";
        buffers.back()->is_out = false;
      }
      if (returned.kind == TakenBack::kReleased) {
        serve(buffers, at, false, true);
      }
    }
  }

  bool adds_up() {
    uint64_t received = 0;
    bool all = true;
    for (size_t i = 0; i < workers_; ++i) {
      all = all && counters_add_up(i);
      received += counters(i).received.value();
    }
    return all && received == given_ && held() == buffers_out();
  }

  size_t workers_ = 0;
  std::vector<std::unique_ptr<FragmentTable>> fragments_;
  std::deque<Buffer> buffers_;
  std::vector<Bytes> sent_;
  uint64_t given_ = 0;
  uint64_t kernel_ = 0;
};

// A frame's IP packet cut as a router would, the payload of each but the last `piece` bytes long.
std::vector<Bytes> pieces_of(const Bytes& frame, size_t piece, uint32_t id) {
  const bool v6 = frame[12] == 0x86;
  const size_t header = 14 + (v6 ? 40 : 20);
  std::vector<Bytes> pieces;
  for (size_t at = header; at < frame.size(); at += piece) {
    const size_t length = std::min(piece, frame.size() - at);
    const bool more = at + length < frame.size();
    const auto offset = static_cast<uint16_t>(at - header);
    Bytes out(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(header));
    if (v6) {
      const uint8_t extension[8] = {frame[20],
                                    0,
                                    static_cast<uint8_t>(offset >> 8),
                                    static_cast<uint8_t>(offset | (more ? 1 : 0)),
                                    static_cast<uint8_t>(id >> 24),
                                    static_cast<uint8_t>(id >> 16),
                                    static_cast<uint8_t>(id >> 8),
                                    static_cast<uint8_t>(id)};
      out[20] = 44;
      testing::write16(out, 18, 8 + length);
      out.insert(out.end(), extension, extension + 8);
    } else {
      testing::write16(out, 16, 20 + length);
      testing::write16(out, 18, id);
      testing::write16(out, 20, (more ? 0x2000u : 0u) | offset / 8u);
      testing::write16(out, 24, 0);
      testing::write16(out, 24, testing::checksum_of(out.data() + 14, 20));
    }
    out.insert(out.end(), frame.begin() + static_cast<std::ptrdiff_t>(at),
               frame.begin() + static_cast<std::ptrdiff_t>(at + length));
    pieces.push_back(out);
  }
  return pieces;
}

struct Family {
  const char* client;
  const char* service;
};
constexpr Family kFamilies[] = {{"192.0.2.11", "198.51.100.1"}, {"2001:db8:c::1", "2001:db8:100::1"}};

Frame datagram(const Family& family, uint16_t sport = 40000) {
  return Frame().from(family.client, sport).to(family.service, 53).udp();
}

// Of an l2 service, so the MAC address tells the backend and the packet is as it was.
uint8_t backend_of(const Bytes& frame) {
  return frame[4];
}
Bytes ip_of(const Bytes& frame) {
  return {frame.begin() + 14, frame.end()};
}

TEST(Fragments, EveryOrderReachesTheBackendOfTheFlow) {
  for (const Family& family : kFamilies) {
    for (const size_t workers : {1, 3}) {
      Bench bench(workers);
      std::mt19937 random(7);
      uint32_t id = 1;
      for (size_t count = 2; count <= 4; ++count) {
        std::vector<size_t> order(count);
        std::iota(order.begin(), order.end(), 0);
        do {
          const auto sport = static_cast<uint16_t>(20000 + id);
          const Bytes whole = datagram(family, sport).payload(count * 64 - 8 - 20).bytes();
          const auto pieces = pieces_of(whole, 64, id++);
          ASSERT_EQ(pieces.size(), count);
          const size_t before = bench.sent().size();
          for (const size_t i : order) {
            bench.give(pieces[i], random() % workers);
          }
          bench.give(datagram(family, sport).bytes(), random() % workers);
          ASSERT_EQ(bench.sent().size(), before + count + 1);
          const uint8_t backend = backend_of(bench.sent().back());
          std::vector<Bytes> out;
          for (size_t i = before; i < before + count; ++i) {
            EXPECT_EQ(backend_of(bench.sent()[i]), backend);
            out.push_back(ip_of(bench.sent()[i]));
          }
          std::vector<Bytes> in;
          std::transform(pieces.begin(), pieces.end(), std::back_inserter(in), ip_of);
          EXPECT_TRUE(std::is_permutation(in.begin(), in.end(), out.begin())) << "unchanged";
        } while (std::next_permutation(order.begin(), order.end()));
      }
      EXPECT_EQ(bench.held(), 0u);
    }
  }
}

TEST(Fragments, TcpFragmentsTravelInATunnelEach) {
  for (const Family& family : kFamilies) {
    Bench bench;
    const Bytes whole = Frame().from(family.client, 5).to(family.service, 80).tcp("A").payload(300).bytes();
    const auto pieces = pieces_of(whole, 128, 9);
    for (auto piece = pieces.rbegin(); piece != pieces.rend(); ++piece) {
      bench.give(*piece);
    }
    ASSERT_EQ(bench.sent().size(), pieces.size());
    for (const Bytes& frame : bench.sent()) {
      EXPECT_EQ(frame[14] >> 4, 4) << "the backends are of IPv4";
    }
    EXPECT_EQ(bench.counters().services[0].packets.value(), pieces.size());
    EXPECT_EQ(bench.events(Event::kFlowsCreated), 1u);
  }
}

TEST(Fragments, WhatNoServiceHasIsTheKernelsWithItsLaterPieces) {
  for (const Family& family : kFamilies) {
    Bench bench;
    const Bytes whole = Frame().from(family.client, 5).to(family.service, 9999).udp().payload(200).bytes();
    const auto pieces = pieces_of(whole, 64, 9);
    bench.give(pieces[1]);
    bench.give(pieces[0]);
    bench.give(pieces[2]);
    bench.give(pieces[3]);
    EXPECT_EQ(bench.kernel(), 4u);
  }
}

TEST(Fragments, AnOverlapSpoilsTheDatagram) {
  for (const Family& family : kFamilies) {
    Bench bench;
    const Bytes whole = datagram(family).payload(400).bytes();
    const auto by_64 = pieces_of(whole, 64, 3);
    const auto by_96 = pieces_of(whole, 96, 3);
    bench.give(by_64[2]);
    EXPECT_EQ(bench.held(), 1u);
    bench.give(by_96[1]);
    EXPECT_EQ(bench.lost(DropReason::kFragmentOverlap), 2u);
    bench.give(by_64[0]);
    EXPECT_EQ(bench.lost(DropReason::kFragmentOverlap), 3u);
    EXPECT_TRUE(bench.sent().empty());
  }
}

TEST(Fragments, ADuplicateIsDroppedAndTheDatagramGoesOn) {
  for (const Family& family : kFamilies) {
    Bench bench;
    const auto pieces = pieces_of(datagram(family).payload(180).bytes(), 64, 3);
    bench.give(pieces[1]);
    bench.give(pieces[1]);
    bench.give(pieces[0]);
    bench.give(pieces[0]);
    bench.give(pieces[2]);
    EXPECT_EQ(bench.lost(DropReason::kFragmentDuplicate), 2u);
    EXPECT_EQ(bench.sent().size(), 3u);
  }
}

TEST(Fragments, TinyFirstOnesAreRefused) {
  Bench bench;
  const Bytes whole = Frame().from("192.0.2.1", 5).to("198.51.100.1", 80).payload(80).bytes();
  const auto pieces = pieces_of(whole, 8, 3);
  bench.give(pieces[0]);
  bench.give(pieces[1]);
  EXPECT_EQ(bench.lost(DropReason::kTinyFragment) + bench.lost(DropReason::kBadIpHeader) +
                bench.lost(DropReason::kBadL4Header),
            2u);
  EXPECT_GE(bench.lost(DropReason::kTinyFragment), 1u);
  EXPECT_EQ(bench.held(), 0u);
}

TEST(Fragments, AreDroppedWhenTheFirstOneDoesNotCome) {
  for (const Family& family : kFamilies) {
    Bench bench(3);
    const auto pieces = pieces_of(datagram(family).payload(180).bytes(), 64, 3);
    bench.give(pieces[1], 0);
    bench.give(pieces[2], 1);
    bench.pass(FragmentTable::kLifetime - std::chrono::milliseconds(1));
    EXPECT_EQ(bench.held(), 2u);
    bench.pass(std::chrono::milliseconds(1));
    EXPECT_EQ(bench.held(), 0u);
    EXPECT_EQ(bench.lost(DropReason::kFragmentTimeout), 2u);
    bench.give(pieces[0], 2);
    EXPECT_EQ(bench.sent().size(), 1u);
  }
}

TEST(Fragments, OneDatagramHoldsNoMoreThanItsShare) {
  FragmentTable::Limits limits;
  limits.held_each = 2;
  Bench bench(1, limits);
  const auto pieces = pieces_of(datagram(kFamilies[0]).payload(400).bytes(), 64, 3);
  for (size_t i = 1; i <= 4; ++i) {
    bench.give(pieces[i]);
  }
  EXPECT_EQ(bench.held(), 2u);
  EXPECT_EQ(bench.lost(DropReason::kFragmentLimit), 2u);
}

TEST(Fragments, AFloodHoldsABoundedNumberAndLeavesTheFlowsAlone) {
  Bench bench(3);
  bench.give(datagram(kFamilies[0]).bytes());
  const uint8_t backend = backend_of(bench.sent().back());
  std::mt19937 random(5);
  for (uint32_t i = 0; i < 20000; ++i) {
    const Bytes whole = Frame()
                            .from("10." + std::to_string(random() % 256) + "." +
                                      std::to_string(random() % 256) + "." + std::to_string(random() % 256),
                                  7)
                            .to("198.51.100.1", 53)
                            .udp()
                            .payload(100)
                            .bytes();
    bench.give(pieces_of(whole, 64, random() & 0xffff)[1], random() % 3);
    ASSERT_LE(bench.held(), 3u * FragmentTable::Limits{}.held);
  }
  EXPECT_GT(bench.lost(DropReason::kFragmentLimit), 10000u);
  bench.give(datagram(kFamilies[0]).bytes());
  EXPECT_EQ(backend_of(bench.sent().back()), backend);
  // One that comes in one go finds its way all the same.
  const size_t before = bench.sent().size();
  const auto pieces = pieces_of(datagram(kFamilies[0]).payload(180).bytes(), 64, 77);
  bench.give(pieces[2]);
  bench.give(pieces[1]);
  bench.give(pieces[0]);
  EXPECT_EQ(bench.sent().size(), before + 3);
  for (int i = 0; i < 1000; ++i) {
    bench.pass(std::chrono::seconds(3));
  }
  EXPECT_EQ(bench.held(), 0u);
}

TEST(Fragments, WithoutATableTheyAreDropped) {
  Rig rig;
  const auto pieces = pieces_of(datagram(kFamilies[0]).payload(180).bytes(), 64, 3);
  EXPECT_EQ(rig.run(pieces[0]).verdict, Verdict::kDrop);
  EXPECT_EQ(rig.dropped(DropReason::kFragmentLimit), 1u);
}

TEST(Fragments, OfANatServiceAreRefused) {
  Bench bench;
  bench.udp_mode = ForwardMode::kNat;
  bench.publish();
  const auto pieces = pieces_of(datagram(kFamilies[0]).payload(100).bytes(), 64, 3);
  bench.give(pieces[1]);
  bench.give(pieces[0]);
  EXPECT_EQ(bench.lost(DropReason::kNatFragment), 2u);
}

TEST(Fragments, OfAPingAreTheKernels) {
  Bench bench;
  const Bytes whole =
      Frame().from("192.0.2.1", 0x0800).to("198.51.100.1", 0).protocol(1).payload(200).bytes();
  for (const Bytes& piece : pieces_of(whole, 64, 3)) {
    bench.give(piece);
  }
  EXPECT_EQ(bench.kernel(), 4u);
}

}  // namespace
}  // namespace maglb
