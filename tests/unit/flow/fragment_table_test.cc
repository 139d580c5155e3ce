#include "lib/flow/fragment_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <set>

namespace maglb {
namespace {

using std::chrono::milliseconds;
using Verdict = FragmentVerdict;

constexpr SipKey kKey{0x0706050403020100, 0x0f0e0d0c0b0a0908};
constexpr Time kStart = std::chrono::hours(1);

FragmentKey datagram(uint32_t id, uint32_t source = 1) {
  FragmentKey key;
  key.source = IpAddress::v4(Be32(0x0a000000 + source));
  key.destination = IpAddress::v4(std::array<uint8_t, 4>{192, 0, 2, 1});
  key.id = id;
  key.protocol = 17;
  return key;
}

const FlowKey kFlow = [] {
  FlowKey flow;
  flow.source_port = Be16(4711);
  flow.destination_port = Be16(53);
  return flow;
}();

// Bytes begin..end of a datagram; at 0 with the ports.
Fragment piece(const FragmentKey& key, uint32_t begin, uint32_t end, bool more, uintptr_t handle = 1) {
  return {key, begin, end - begin, more, begin == 0 ? &kFlow : nullptr, handle, 100};
}

std::vector<uintptr_t> released(FragmentTable& table) {
  std::vector<uintptr_t> handles(1000);
  handles.resize(table.take_released(handles));
  std::sort(handles.begin(), handles.end());
  return handles;
}

std::vector<uintptr_t> dropped(FragmentTable& table, FragmentLoss reason) {
  std::vector<DroppedFragment> all(1000);
  all.resize(table.take_dropped(all));
  std::vector<uintptr_t> handles;
  for (const DroppedFragment& each : all) {
    EXPECT_EQ(each.reason, reason);
    handles.push_back(each.handle);
  }
  std::sort(handles.begin(), handles.end());
  return handles;
}

// The handles counted up from 1.
std::vector<uintptr_t> up_to(uintptr_t last) {
  std::vector<uintptr_t> handles(last);
  std::iota(handles.begin(), handles.end(), 1);
  return handles;
}

// A datagram of n pieces of eight bytes.
std::vector<Fragment> pieces_of(const FragmentKey& key, size_t n) {
  std::vector<Fragment> pieces;
  for (uint32_t i = 0; i < n; ++i) {
    pieces.push_back(piece(key, i * 8, i * 8 + 8, i + 1 < n, i));
  }
  return pieces;
}

template <typename Each>
void for_each_order(Each each) {
  for (size_t n = 2; n <= 5; ++n) {
    std::vector<size_t> order(n);
    std::iota(order.begin(), order.end(), 0);
    do {
      each(order);
    } while (std::next_permutation(order.begin(), order.end()));
  }
}

TEST(FragmentTable, FindsTheFlowInEveryOrderOfThePieces) {
  for_each_order([](const std::vector<size_t>& order) {
    FragmentTable table(kKey);
    const auto pieces = pieces_of(datagram(7), order.size());
    std::vector<uintptr_t> before_first;
    bool had_first = false;
    for (size_t i : order) {
      had_first = had_first || i == 0;
      const FragmentOutcome outcome = table.admit(pieces[i], kStart);
      ASSERT_EQ(outcome.verdict, had_first ? Verdict::kForward : Verdict::kHeld);
      if (had_first) {
        ASSERT_EQ(outcome.flow, kFlow);
      } else {
        before_first.push_back(i);
      }
    }
    std::sort(before_first.begin(), before_first.end());
    ASSERT_EQ(released(table), before_first);
    for (size_t i = 0; i < before_first.size(); ++i) {
      ASSERT_EQ(table.size(), 1u);
      ASSERT_EQ(table.flow_of(datagram(7), kStart), kFlow);
    }
    ASSERT_EQ(table.size(), 0u) << "a complete datagram ends at once";
    ASSERT_FALSE(table.has_any());
  });
}

TEST(FragmentTable, RefusesADuplicateAndGoesOnInEveryOrder) {
  for_each_order([](const std::vector<size_t>& order) {
    for (size_t doubled = 0; doubled + 1 < order.size(); ++doubled) {
      FragmentTable table(kKey);
      const auto pieces = pieces_of(datagram(7), order.size());
      for (size_t at = 0; at < order.size(); ++at) {
        const Verdict verdict = table.admit(pieces[order[at]], kStart).verdict;
        ASSERT_TRUE(verdict == Verdict::kForward || verdict == Verdict::kHeld);
        if (at >= doubled && at + 1 < order.size()) {
          ASSERT_EQ(table.admit(pieces[order[doubled]], kStart).verdict, Verdict::kRefusedDuplicate);
        }
      }
      for (uintptr_t handle : released(table)) {
        ASSERT_EQ(table.flow_of(datagram(7), kStart), kFlow) << handle;
      }
      ASSERT_EQ(table.size(), 0u);
    }
  });
}

TEST(FragmentTable, LetsNothingOfADatagramPassBehindAnOverlap) {
  for_each_order([](const std::vector<size_t>& order) {
    for (size_t spoiled_at = 1; spoiled_at < order.size(); ++spoiled_at) {
      FragmentTable table(kKey);
      const auto pieces = pieces_of(datagram(7), order.size());
      size_t waited = 0;
      for (size_t at = 0; at < spoiled_at; ++at) {
        waited += table.admit(pieces[order[at]], kStart).verdict == Verdict::kHeld ? 1 : 0;
      }
      waited -= released(table).size();
      // Ends where the last one seen ends, and begins before it or goes on behind it.
      Fragment overlap = pieces[order[spoiled_at - 1]];
      overlap.payload_bytes += overlap.more ? 8 : 1;
      ASSERT_EQ(table.admit(overlap, kStart).verdict, Verdict::kRefusedOverlap);
      ASSERT_EQ(dropped(table, FragmentLoss::kSpoiled).size(), waited);
      for (const Fragment& each : pieces) {
        ASSERT_EQ(table.admit(each, kStart).verdict, Verdict::kRefusedOverlap);
      }
      ASSERT_EQ(table.flow_of(datagram(7), kStart), std::nullopt);
      ASSERT_FALSE(table.has_any());
    }
  });
}

TEST(FragmentTable, TakesTwoEndsAndDataBehindTheEndForAnOverlap) {
  struct Case {
    const char* name;
    std::array<uint32_t, 3> seen, then;  // begin, end, more
  };
  const Case cases[] = {
      {"a second end behind the first", {16, 24, 0}, {24, 32, 0}},
      {"a second end before the first", {16, 24, 0}, {8, 16, 0}},
      {"data behind the end", {16, 24, 0}, {24, 32, 1}},
      {"an end before data", {16, 24, 1}, {8, 12, 0}},
      {"the same bytes, but the last now", {16, 24, 1}, {16, 24, 0}},
      {"the same bytes, but not the last now", {16, 24, 0}, {16, 24, 1}},
      {"within", {8, 32, 1}, {16, 24, 1}},
      {"around", {16, 24, 1}, {8, 32, 1}},
      {"over the ports", {8, 16, 1}, {0, 16, 1}},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    FragmentTable table(kKey);
    EXPECT_EQ(table.admit(piece(datagram(7), c.seen[0], c.seen[1], c.seen[2] != 0), kStart).verdict,
              Verdict::kHeld);
    EXPECT_EQ(table.admit(piece(datagram(7), c.then[0], c.then[1], c.then[2] != 0), kStart).verdict,
              Verdict::kRefusedOverlap);
    EXPECT_EQ(dropped(table, FragmentLoss::kSpoiled), up_to(1));
  }
}

TEST(FragmentTable, DoesNotLetASecondFirstFragmentChangeTheFlow) {
  FragmentTable table(kKey);
  FlowKey other = kFlow;
  other.destination_port = Be16(22);
  Fragment second = piece(datagram(7), 0, 8, true);
  second.flow = &other;
  EXPECT_EQ(table.admit(piece(datagram(7), 0, 8, true), kStart).flow, kFlow);
  EXPECT_EQ(table.admit(second, kStart).verdict, Verdict::kRefusedDuplicate);
  EXPECT_EQ(table.admit(piece(datagram(7), 8, 16, true), kStart).flow, kFlow);
}

TEST(FragmentTable, RefusesWhatNoFragmentCanBeWithoutATrace) {
  FragmentTable table(kKey);
  const FragmentKey key = datagram(7);
  Fragment without_ports = piece(key, 0, 8, true);
  without_ports.flow = nullptr;
  Fragment far = piece(key, 8, 16, false);
  far.offset_bytes = 0xfffffff8;
  for (const Fragment& bad :
       {piece(key, 8, 8, false), piece(key, 8, 8, true), piece(key, 8, 15, true), piece(key, 9, 17, true),
        piece(key, 65528, 65536, true), piece(key, 65528, 65536, false), piece(key, 65536, 65544, true),
        piece(key, 8, 0x80000000, false), far, without_ports}) {
    EXPECT_EQ(table.admit(bad, kStart).verdict, Verdict::kRefusedMalformed);
  }
  EXPECT_EQ(table.size(), 0u);
  EXPECT_EQ(table.admit(piece(key, 65528, 65535, false), kStart).verdict, Verdict::kHeld);
}

TEST(FragmentTable, ForwardsAnAtomicFragmentBesideADatagramOfItsId) {
  FragmentTable table(kKey);
  EXPECT_EQ(table.admit(piece(datagram(7), 0, 16, false), kStart).verdict, Verdict::kForward);
  EXPECT_EQ(table.size(), 0u);
  EXPECT_EQ(table.admit(piece(datagram(7), 8, 16, true), kStart).verdict, Verdict::kHeld);
  EXPECT_EQ(table.admit(piece(datagram(7), 0, 16, false), kStart).verdict, Verdict::kForward);
  EXPECT_EQ(table.held(), 1u);
  EXPECT_FALSE(table.has_any());
}

TEST(FragmentTable, TellsDatagramsApartByEveryPartOfTheKey) {
  std::vector<FragmentKey> keys(6, datagram(7));
  keys[1].source = IpAddress::parse("10.0.0.2").value();
  keys[2].destination = IpAddress::parse("192.0.2.2").value();
  keys[3].id = 0x10007;
  keys[4].protocol = 6;
  keys[5].source = IpAddress::parse("2001:db8::1").value();
  FragmentTable table(kKey);
  std::set<uint32_t> hashes;
  for (size_t i = 0; i < keys.size(); ++i) {
    EXPECT_EQ(table.admit(piece(keys[i], 8, 16, true, i), kStart).verdict, Verdict::kHeld);
    hashes.insert(owner_hash(kKey, keys[i]));
  }
  EXPECT_EQ(hashes.size(), keys.size());
  for (size_t i = 0; i < keys.size(); ++i) {
    EXPECT_EQ(table.admit(piece(keys[i], 0, 8, true), kStart).verdict, Verdict::kForward);
    EXPECT_EQ(released(table), std::vector<uintptr_t>{i});
  }
}

TEST(FragmentTable, EndsADatagramAtItsDeadlineWhateverCame) {
  FragmentTable table(kKey);
  const Time deadline = kStart + FragmentTable::kLifetime;
  ASSERT_EQ(table.admit(piece(datagram(7), 8, 16, true, 1), kStart).verdict, Verdict::kHeld);
  ASSERT_EQ(table.admit(piece(datagram(7), 16, 24, true, 2), deadline - Duration(1)).verdict, Verdict::kHeld);
  table.expire(deadline - Duration(1));
  EXPECT_FALSE(table.has_any());
  table.expire(deadline);
  EXPECT_EQ(dropped(table, FragmentLoss::kExpired), up_to(2));
  EXPECT_EQ(table.admit(piece(datagram(7), 0, 8, true), deadline).verdict, Verdict::kForward);
  EXPECT_TRUE(released(table).empty());
}

TEST(FragmentTable, KnowsNoFlowPastTheDeadlineEvenUnswept) {
  FragmentTable table(kKey, {}, milliseconds(5));
  ASSERT_EQ(table.admit(piece(datagram(7), 0, 8, true), kStart).verdict, Verdict::kForward);
  EXPECT_EQ(table.flow_of(datagram(7), kStart + milliseconds(4)), kFlow);
  EXPECT_EQ(table.flow_of(datagram(7), kStart + milliseconds(5)), std::nullopt);
}

TEST(FragmentTable, ExpiresAFewAtATime) {
  FragmentTable table(kKey);
  for (uint32_t i = 0; i < 10; ++i) {
    ASSERT_EQ(table.admit(piece(datagram(i), 0, 8, true), kStart).verdict, Verdict::kForward);
  }
  for (size_t left : {6u, 2u, 0u, 0u}) {
    table.expire(kStart + FragmentTable::kLifetime);
    EXPECT_EQ(table.size(), left);
  }
}

TEST(FragmentTable, HoldsSoManyOfOneDatagramAndNoMore) {
  FragmentTable table(kKey);
  for (uint32_t i = 1; i <= 16; ++i) {
    ASSERT_EQ(table.admit(piece(datagram(7), i * 8, i * 8 + 8, true, i), kStart).verdict, Verdict::kHeld);
  }
  EXPECT_EQ(table.admit(piece(datagram(7), 17 * 8, 18 * 8, true), kStart).verdict, Verdict::kRefusedFull);
  EXPECT_EQ(table.held(), 16u);
  EXPECT_EQ(table.held_bytes(), 1600u);
  EXPECT_EQ(table.admit(piece(datagram(7), 0, 8, true), kStart).verdict, Verdict::kForward);
  EXPECT_EQ(table.held(), 0u);
  EXPECT_EQ(released(table), up_to(16));
  EXPECT_EQ(table.held_bytes(), 0u);
  EXPECT_EQ(table.admit(piece(datagram(7), 17 * 8, 18 * 8, true), kStart).verdict, Verdict::kForward);
}

TEST(FragmentTable, JudgesSoManyPiecesOfOneDatagramAndNoMore) {
  FragmentTable table(kKey);
  for (uint32_t i = 0; i < 64; ++i) {
    ASSERT_EQ(table.admit(piece(datagram(7), i * 8, i * 8 + 8, true), kStart).verdict, Verdict::kForward);
  }
  EXPECT_EQ(table.admit(piece(datagram(7), 64 * 8, 65 * 8, true), kStart).verdict, Verdict::kRefusedFull);
  EXPECT_EQ(table.admit(piece(datagram(7), 8, 16, true), kStart).verdict, Verdict::kRefusedDuplicate);
  EXPECT_EQ(table.admit(piece(datagram(7), 8, 24, true), kStart).verdict, Verdict::kRefusedOverlap);
}

TEST(FragmentTable, GivesOneSourceAQuarter) {
  FragmentTable table(kKey);
  for (uint32_t i = 0; i < 2000; ++i) {
    ASSERT_EQ(table.admit(piece(datagram(i), 0, 8, true), kStart).verdict, Verdict::kForward);
  }
  EXPECT_EQ(table.size(), 1024u / 4);
  EXPECT_EQ(table.flow_of(datagram(2000 - 257), kStart), std::nullopt) << "the oldest went";
  EXPECT_EQ(table.flow_of(datagram(2000 - 256), kStart), kFlow);
  for (uint32_t i = 0; i < 2000; ++i) {
    ASSERT_EQ(table.admit(piece(datagram(i, 2), 8, 16, true, i), kStart).verdict, Verdict::kHeld);
    ASSERT_EQ(dropped(table, FragmentLoss::kEvicted).size(), i < 128 ? 0u : 1u);
  }
  EXPECT_EQ(table.held(), 512u / 4);
  EXPECT_EQ(table.size(), 1024u / 4 + 512u / 4);
}

TEST(FragmentTable, FillsUpFromManySourcesAndGoesOn) {
  FragmentTable table(kKey);
  for (uint32_t i = 0; i < 5000; ++i) {
    ASSERT_EQ(table.admit(piece(datagram(i, i), 0, 8, true), kStart).verdict, Verdict::kForward);
  }
  EXPECT_EQ(table.size(), 1024u);
  EXPECT_EQ(table.flow_of(datagram(0, 0), kStart), std::nullopt) << "the oldest went";
  EXPECT_EQ(table.flow_of(datagram(4999, 4999), kStart), kFlow);
  for (uint32_t i = 0; i < 5000; ++i) {
    ASSERT_EQ(table.admit(piece(datagram(i, 10000 + i), 8, 16, true, i), kStart).verdict, Verdict::kHeld);
    dropped(table, FragmentLoss::kEvicted);
  }
  EXPECT_EQ(table.size(), 1024u);
  EXPECT_EQ(table.held(), 1u) << "who waits displaces who waits";
  EXPECT_EQ(table.flow_of(datagram(4999, 4999), kStart), kFlow);
}

TEST(FragmentTable, HoldsSoManyInAllAndEvictsTheOldestThen) {
  FragmentTable table(kKey);
  for (uint32_t i = 0; i < 512; ++i) {
    ASSERT_EQ(table.admit(piece(datagram(i, i), 8, 16, true, i), kStart).verdict, Verdict::kHeld);
  }
  EXPECT_FALSE(table.has_any());
  EXPECT_EQ(table.admit(piece(datagram(512, 512), 8, 16, true, 512), kStart).verdict, Verdict::kHeld);
  EXPECT_EQ(table.held(), 512u);
  EXPECT_EQ(dropped(table, FragmentLoss::kEvicted), std::vector<uintptr_t>{0});
  // The oldest itself is spared when it is who wants room: the next one goes.
  EXPECT_EQ(table.admit(piece(datagram(1, 1), 16, 24, true, 600), kStart).verdict, Verdict::kHeld);
  EXPECT_EQ(dropped(table, FragmentLoss::kEvicted), std::vector<uintptr_t>{2});
}

TEST(FragmentTable, TakesNoBufferWhileTooManyWereNotTakenBack) {
  FragmentTable table(kKey);
  uint32_t taken = 0;
  while (table.admit(piece(datagram(taken, taken), 8, 16, true), kStart).verdict == Verdict::kHeld) {
    ASSERT_LE(++taken, 10000u);
  }
  EXPECT_EQ(taken, 512u + 64u);
  EXPECT_EQ(table.held_bytes(), (512u + 64u) * 100);
  EXPECT_EQ(table.held(), 512u);
  EXPECT_EQ(dropped(table, FragmentLoss::kEvicted).size(), 64u);
  EXPECT_EQ(table.admit(piece(datagram(0, 0), 8, 16, true), kStart).verdict, Verdict::kHeld);
}

// Later fragments without a first one, from one source or a new one each, beside datagrams whose pieces
// come within the flood, the first one last.
TEST(FragmentTable, KeepsDatagramsWhosePiecesComeTogetherInAFlood) {
  for (const bool many_sources : {false, true}) {
    FragmentTable table(kKey);
    Time now = kStart;
    uint32_t flood = 0;
    const auto flood_by = [&](uint32_t count) {
      for (uint32_t i = 0; i < count; ++i, ++flood, now += Duration(100)) {
        const FragmentKey key = datagram(flood, many_sources ? 1000 + flood : 1000);
        table.admit(piece(key, 8, 16, true, 1000000 + flood), now);
        dropped(table, FragmentLoss::kEvicted);
      }
    };
    const FragmentKey long_lived = datagram(1, 5);
    ASSERT_EQ(table.admit(piece(long_lived, 0, 8, true), now).verdict, Verdict::kForward);
    flood_by(5000);
    for (uint32_t id = 2; id < 500; ++id) {
      ASSERT_EQ(table.admit(piece(datagram(id, 5), 16, 20, false, 2), now).verdict, Verdict::kHeld);
      flood_by(100);
      ASSERT_EQ(table.admit(piece(datagram(id, 5), 8, 16, true, 1), now).verdict, Verdict::kHeld);
      flood_by(100);
      ASSERT_EQ(table.admit(piece(datagram(id, 5), 0, 8, true), now).verdict, Verdict::kForward);
      ASSERT_EQ(released(table), up_to(2));
      ASSERT_EQ(table.flow_of(datagram(id, 5), now), kFlow);
      ASSERT_EQ(table.flow_of(datagram(id, 5), now), kFlow);
      dropped(table, FragmentLoss::kEvicted);
    }
    EXPECT_EQ(table.admit(piece(long_lived, 8, 16, false), now).verdict, Verdict::kForward);
    EXPECT_GE(table.held(), many_sources ? 510u : 128u) << "the flood did not reach the bound";
  }
}

TEST(FragmentTable, KeepsADatagramInOrderForAsManyForgedFirstOnesAsItHasEntries) {
  FragmentTable table(kKey);
  uint32_t flood = 0;
  for (uint32_t id = 0; id < 50; ++id) {
    ASSERT_EQ(table.admit(piece(datagram(id, 5), 0, 8, true), kStart).verdict, Verdict::kForward);
    for (uint32_t i = 0; i < 1000; ++i, ++flood) {
      table.admit(piece(datagram(flood, 1000 + flood), 0, 8, true), kStart);
    }
    ASSERT_EQ(table.admit(piece(datagram(id, 5), 8, 16, false), kStart).flow, kFlow);
  }
  EXPECT_GE(table.size(), 1023u);
}

TEST(FragmentTable, GivesEveryBufferBackAtTheEnd) {
  FragmentTable table(kKey);
  for (uint32_t i = 1; i <= 40; ++i) {
    ASSERT_EQ(table.admit(piece(datagram(i / 3), i * 8, i * 8 + 8, true, i), kStart).verdict, Verdict::kHeld);
  }
  table.clear();
  EXPECT_EQ(dropped(table, FragmentLoss::kEvicted), up_to(40));
  EXPECT_EQ(table.size() + table.held() + table.held_bytes(), 0u);
}

TEST(FragmentTable, AllocatesNothingAfterItsConstruction) {
  std::vector<std::byte> arena(600 << 10);
  std::pmr::monotonic_buffer_resource memory(arena.data(), arena.size(), std::pmr::null_memory_resource());
  struct Counting : std::pmr::memory_resource {
    explicit Counting(std::pmr::memory_resource* from) : upstream(from) {}
    void* do_allocate(size_t bytes, size_t align) override {
      ++count;
      return upstream->allocate(bytes, align);
    }
    void do_deallocate(void* p, size_t bytes, size_t align) override {
      upstream->deallocate(p, bytes, align);
    }
    bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }
    std::pmr::memory_resource* upstream;
    size_t count = 0;
  } counting(&memory);
  FragmentTable table(kKey, {}, FragmentTable::kLifetime, &counting);
  const size_t at_first = counting.count;
  EXPECT_EQ(at_first, 5u);
  for (uint32_t i = 0; i < 3000; ++i) {
    table.admit(piece(datagram(i, i), i % 3 == 0 ? 0 : 8, 16, true, i), kStart + milliseconds(i));
  }
  EXPECT_EQ(counting.count, at_first);
}

TEST(FragmentTable, SpreadsDatagramsOverWorkers) {
  std::array<uint32_t, 8> workers{};
  for (uint32_t i = 0; i < 8000; ++i) {
    ++workers[owner_hash(kKey, datagram(i)) % workers.size()];
  }
  for (uint32_t share : workers) {
    EXPECT_NEAR(share, 1000, 150);
  }
  EXPECT_NE(owner_hash(SipKey{1, 2}, datagram(1)), owner_hash(kKey, datagram(1)));
}

}  // namespace
}  // namespace maglb
