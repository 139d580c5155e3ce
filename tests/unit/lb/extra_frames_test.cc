#include "lib/lb/extra_frames.h"

#include <gtest/gtest.h>

#include <vector>

namespace maglb {
namespace {

// Gives buffers of 100 bytes, and knows which are out.
struct Shelf {
  std::vector<std::vector<uint8_t>> blocks =
      std::vector<std::vector<uint8_t>>(300, std::vector<uint8_t>(100));
  std::vector<void*> free;

  explicit Shelf(size_t buffers) {
    for (size_t i = 0; i < buffers; ++i) {
      free.push_back(blocks[i].data());
    }
  }
  static bool take(void* self, ExtraFrame& frame) {
    auto& free = static_cast<Shelf*>(self)->free;
    if (free.empty()) {
      return false;
    }
    frame = ExtraFrame{};
    frame.handle = free.back();
    frame.packet.data = static_cast<uint8_t*>(free.back());
    frame.packet.tailroom = 100;
    free.pop_back();
    return true;
  }
  static void give_back(void* self, void* handle) { static_cast<Shelf*>(self)->free.push_back(handle); }
  ExtraFrames frames() { return ExtraFrames({take, give_back, this}); }
};

TEST(ExtraFrames, GivesRoomInFrontAndBehind) {
  Shelf shelf(2);
  ExtraFrames frames = shelf.frames();
  const ExtraFrame* frame = frames.take(40, 60);
  ASSERT_NE(frame, nullptr);
  EXPECT_EQ(frame->packet.data, static_cast<uint8_t*>(frame->handle) + 40);
  EXPECT_EQ(frame->packet.headroom, 40);
  EXPECT_EQ(frame->packet.length, 60);
  EXPECT_EQ(frame->packet.tailroom, 0);
  EXPECT_EQ(frames.take(41, 60), nullptr) << "too long for a buffer";
  EXPECT_EQ(shelf.free.size(), 1u) << "which has gone back";
  EXPECT_EQ(frames.list().size(), 1u);
}

TEST(ExtraFrames, GivesBackTheLastOnes) {
  Shelf shelf(5);
  ExtraFrames frames = shelf.frames();
  void* const first = frames.take(0, 1)->handle;
  frames.take(0, 1);
  frames.take(0, 1);
  frames.give_back(1);
  EXPECT_EQ(shelf.free.size(), 4u);
  ASSERT_EQ(frames.size(), 1u);
  EXPECT_EQ(frames.list()[0].handle, first);
  frames.clear();
  EXPECT_EQ(shelf.free.size(), 4u) << "the first is the caller's now";
}

TEST(ExtraFrames, HasNoneWithoutBuffersAndNoMoreThanItsBound) {
  ExtraFrames none;
  EXPECT_EQ(none.take(0, 0), nullptr);
  Shelf shelf(300);
  ExtraFrames frames = shelf.frames();
  for (size_t i = 0; i < ExtraFrames::kMost; ++i) {
    ASSERT_NE(frames.take(0, 1), nullptr);
  }
  EXPECT_EQ(frames.take(0, 1), nullptr);
  frames.give_back(0);
  EXPECT_EQ(shelf.free.size(), 300u);
}

}  // namespace
}  // namespace maglb
