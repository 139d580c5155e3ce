#include "lib/ipc/frame.h"

#include <gtest/gtest.h>

#include <random>

#include "lib/ipc/messages.h"

namespace maglb {
namespace {

ipc::Envelope message_of(uint64_t id, size_t size) {
  ipc::Envelope message;
  message.set_id(id);
  message.mutable_error()->set_message(std::string(size, 'x'));
  return message;
}

std::vector<uint8_t> bytes_of(const FrameWriter& writer) {
  return {writer.pending().begin(), writer.pending().end()};
}

TEST(Frame, ReadsWhatWasWrittenWhateverThePieces) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  FrameWriter writer;
  for (uint64_t id = 1; id <= 100; ++id) {
    ASSERT_TRUE(writer.push(message_of(id, random() % 3000)));
  }
  const std::vector<uint8_t> stream = bytes_of(writer);
  FrameReader reader;
  uint64_t next_id = 1;
  for (size_t at = 0; at < stream.size();) {
    const size_t piece = std::min<size_t>(stream.size() - at, 1 + random() % 5000);
    reader.feed(std::span(stream).subspan(at, piece));
    at += piece;
    for (;;) {
      const auto frame = reader.next();
      ASSERT_TRUE(frame);
      if (!*frame) {
        break;
      }
      ipc::Envelope message;
      ASSERT_TRUE(message.ParseFromArray((*frame)->data(), static_cast<int>((*frame)->size())));
      EXPECT_EQ(message.id(), next_id++);
    }
  }
  EXPECT_EQ(next_id, 101u);
}

TEST(Frame, WaitsForTheRestOfAHalfFrame) {
  FrameWriter writer;
  ASSERT_TRUE(writer.push(message_of(1, 10)));
  const auto stream = bytes_of(writer);
  FrameReader reader;
  for (size_t i = 0; i + 1 < stream.size(); ++i) {
    reader.feed(std::span(stream).subspan(i, 1));
    const auto frame = reader.next();
    ASSERT_TRUE(frame);
    EXPECT_FALSE(*frame);
  }
  reader.feed(std::span(stream).last(1));
  EXPECT_TRUE(*reader.next());
}

TEST(Frame, RefusesLengthsOutOfRangeForEver) {
  for (const std::vector<uint8_t>& header :
       {std::vector<uint8_t>{0, 0, 0, 0}, {0xff, 0xff, 0xff, 0xff}, {0x10, 0, 0, 1}}) {
    FrameReader reader;
    reader.feed(header);
    EXPECT_FALSE(reader.next());
    reader.feed(std::vector<uint8_t>{0, 0, 0, 1, 7});
    EXPECT_FALSE(reader.next());
  }
}

TEST(Frame, KeepsToASmallerLimit) {
  FrameReader reader(100);
  reader.feed(std::vector<uint8_t>{0, 0, 0, 101});
  EXPECT_FALSE(reader.next());
}

TEST(Frame, RefusesWhatTheQueueHasNoRoomForAndKeepsTheRest) {
  FrameWriter writer(1000);
  ASSERT_TRUE(writer.push(message_of(1, 600)));
  const size_t queued = writer.pending().size();
  EXPECT_FALSE(writer.push(message_of(2, 600)));
  EXPECT_EQ(writer.pending().size(), queued);
  writer.consume(queued);
  EXPECT_TRUE(writer.push(message_of(2, 600)));
}

}  // namespace
}  // namespace maglb
