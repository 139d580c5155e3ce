// Floods of new flows over established ones, by the clock of the test: whatever arrives, an established
// flow stays where it is, also when the pool's table changes under it.
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "lib/lb/pipeline.h"
#include "tests/support/lb_rig.h"

namespace maglb {
namespace {

using testing::Bytes;
using testing::Frame;
using testing::Rig;

constexpr size_t kEntries = 1 << 14;
constexpr size_t kEstablished = 2000;

Bytes packet(uint32_t client, uint16_t port, const char* flags) {
  const std::string from = std::to_string(client >> 24) + "." + std::to_string(client >> 16 & 0xff) + "." +
                           std::to_string(client >> 8 & 0xff) + "." + std::to_string(client & 0xff);
  return Frame().from(from, port).to("198.51.100.1", 80).tcp(flags).bytes();
}
Bytes known(size_t flow, const char* flags) {
  return packet(0x0a010000 + static_cast<uint32_t>(flow), 40000, flags);
}

// A flood of `kind` packets, each of a flow of its own: the frame is written once and its source changed.
class Attack {
 public:
  Attack(const char* kind, uint64_t seed) : frame_(packet(0x0b000001, 1, kind)), random_(seed) {}

  const Bytes& next() {
    const auto source = static_cast<uint32_t>(0x0b000000 + random_() % 0x1000000);
    testing::write16(frame_, 26, static_cast<uint16_t>(source >> 16));
    testing::write16(frame_, 28, static_cast<uint16_t>(source));
    testing::write16(frame_, 34, static_cast<uint16_t>(random_()));
    testing::write16(frame_, 24, 0);
    testing::write16(frame_, 24, testing::checksum_of(frame_.data() + 14, 20));
    return frame_;
  }

 private:
  Bytes frame_;
  std::mt19937_64 random_;
};

std::vector<uint16_t> establish(Rig& rig) {
  std::vector<uint16_t> places;
  for (size_t flow = 0; flow < kEstablished; ++flow) {
    rig.run(known(flow, "S"));
    places.push_back(Rig::place_of(rig.run(known(flow, "A"))));
  }
  return places;
}

void expect_unmoved(Rig& rig, const std::vector<uint16_t>& places) {
  size_t moved = 0;
  for (size_t flow = 0; flow < places.size(); ++flow) {
    moved += Rig::place_of(rig.run(known(flow, "A"))) == places[flow] ? 0 : 1;
  }
  EXPECT_EQ(moved, 0u);
}

TEST(Flood, MovesNoEstablishedFlowThoughTheTableChanges) {
  for (const char* kind : {"S", "A"}) {
    SCOPED_TRACE(kind);
    Rig rig(1, kEntries);
    rig.slots = {0, 1, 2};
    rig.publish();
    const std::vector<uint16_t> places = establish(rig);
    ASSERT_EQ(rig.table().size(FlowState::kEstablished), kEstablished);
    Attack attack(kind, 11);
    for (uint16_t round = 0; round < 4; ++round) {
      for (size_t i = 0; i < 2 * kEntries; ++i) {
        ASSERT_EQ(rig.run(attack.next()).verdict, Verdict::kSend) << "a flood is served, too";
      }
      rig.now += std::chrono::milliseconds(500);
      rig.slots = {round, 3, static_cast<uint16_t>((round + 1) % 4)};
      rig.publish();
      expect_unmoved(rig, places);
    }
    EXPECT_LE(rig.table().opening(), rig.table().capacity() / 2);
    EXPECT_EQ(rig.table().size(FlowState::kEstablished), kEstablished);
    EXPECT_EQ(rig.events(Event::kFlowsRescheduled), 0u);
    EXPECT_TRUE(rig.counters_add_up());
  }
}

// A client whose handshake is not overtaken by as many new flows as the table has places for them.
TEST(Flood, LetsNewClientsInThatSurviveAChange) {
  Rig rig(1, kEntries);
  rig.slots = {0, 1, 2, 3};
  rig.publish();
  Attack attack("S", 12);
  for (size_t i = 0; i < 2 * kEntries; ++i) {
    rig.run(attack.next());
  }
  ASSERT_EQ(rig.table().opening(), rig.table().capacity() / 2) << "the flood has all it may have";
  std::vector<uint16_t> places;
  for (size_t client = 0; client < 500; ++client) {
    rig.run(known(client, "S"));
    for (int i = 0; i < 20; ++i) {
      rig.run(attack.next());
    }
    places.push_back(Rig::place_of(rig.run(known(client, "A"))));
  }
  rig.slots = {3, 2, 1, 0, 1};
  rig.publish();
  expect_unmoved(rig, places);
}

}  // namespace
}  // namespace maglb
