#include "controlplane/api/watch.h"

#include <gtest/gtest.h>

#include <vector>

namespace maglb {
namespace {

// A reader that takes so many bytes and no more.
class Reader : public BodyWriter {
 public:
  explicit Reader(size_t room = SIZE_MAX) : room_(room) {}

  bool write(std::string piece) override {
    if (ended_ || text_.size() + piece.size() > room_) {
      return false;
    }
    text_ += piece;
    return true;
  }
  void end(std::string last) override {
    text_ += last;
    ended_ = true;
  }
  void on_closed(std::function<void()> then) override { closed_ = std::move(then); }

  void close() {
    if (const auto then = std::exchange(closed_, nullptr)) {
      then();
    }
  }
  bool ended() const { return ended_; }
  const std::string& text() const { return text_; }
  size_t count(std::string_view what) const {
    size_t found = 0;
    for (size_t at = text_.find(what); at != std::string::npos; at = text_.find(what, at + 1)) {
      ++found;
    }
    return found;
  }

 private:
  size_t room_;
  std::string text_;
  std::function<void()> closed_;
  bool ended_ = false;
};

class WatchTest : public testing::Test {
 protected:
  std::shared_ptr<Reader> open(const std::string& query, size_t room = SIZE_MAX) {
    const auto target = Target::parse("/v1/watch" + query);
    const ApiResponse answer = watch_.open({}, *target);
    if (answer.status != 200) {
      return nullptr;
    }
    auto reader = std::make_shared<Reader>(room);
    answer.stream(reader);
    readers_.push_back(reader);
    return reader;
  }

  void TearDown() override {
    for (const auto& reader : readers_) {
      reader->close();  // as a server does with every connection
    }
  }

  boost::asio::io_context io_;
  EventLog log_{100};
  Watch watch_{io_, log_, std::chrono::milliseconds(1)};
  std::vector<std::shared_ptr<Reader>> readers_;
};

TEST_F(WatchTest, ASlowReaderIsToldAndForgotten) {
  const auto reader = open("", 5000);
  for (int i = 0; i < 200; ++i) {
    log_.record(EventKind::kHealth, "web", "web1", std::string(100, 'x'));
  }
  EXPECT_TRUE(reader->ended());
  EXPECT_EQ(reader->count("event: overflow"), 1u);
  EXPECT_TRUE(reader->text().ends_with("event: overflow\ndata: {}\n\n"));
  reader->close();
}

TEST_F(WatchTest, WhatIsNoLongerKeptIsToldAsLost) {
  for (int i = 0; i < 150; ++i) {
    log_.record(EventKind::kHealth, "web", "web1", "x");
  }
  const auto behind = open("?after=10");
  EXPECT_EQ(behind->count("event: lost\ndata: {\"after\":10}"), 1u);
  EXPECT_EQ(behind->count("event: health"), 100u);
  const auto kept = open("?after=50");
  EXPECT_EQ(kept->count("event: lost"), 0u);
  EXPECT_EQ(kept->count("event: health"), 100u);
  EXPECT_EQ(open("?after=150")->count("event: "), 0u);
  EXPECT_EQ(open("?after=151")->count("event: lost"), 1u);
  EXPECT_EQ(open("")->count("event: "), 0u);
}

TEST_F(WatchTest, ABacklogHasABound) {
  for (int i = 0; i < 100; ++i) {
    log_.record(EventKind::kHealth, "web", "web1", std::string(1000, '\x01'));  // six bytes each in JSON
  }
  const auto reader = open("?after=0");
  EXPECT_LE(reader->text().size(), Watch::kMaxBacklog + 1000);
  EXPECT_EQ(reader->count("event: lost"), 1u);
  EXPECT_NE(reader->text().find("id: 100\n"), std::string::npos);
}

TEST_F(WatchTest, ATextCannotMakeAnEvent) {
  const auto reader = open("");
  log_.record(EventKind::kHealth, "web", "web1", "x\n\nevent: panic\ndata: {}\r\n\xff");
  EXPECT_EQ(reader->count("\nevent: "), 1u);
}

TEST_F(WatchTest, ThereAreHeartbeatsUntilTheReaderGoes) {
  const auto reader = open("");
  while (reader->count(": still here\n\n") < 3) {
    io_.run_one();
  }
  reader->close();
  io_.run();  // ends: nothing is left to wait for
  const size_t said = reader->text().size();
  log_.record(EventKind::kHealth, "web", "web1", "x");
  EXPECT_EQ(reader->text().size(), said);
}

TEST_F(WatchTest, TheNumberOfWatchersHasABound) {
  std::vector<std::shared_ptr<Reader>> readers;
  for (size_t i = 0; i < Watch::kMaxWatchers; ++i) {
    readers.push_back(open(""));
    ASSERT_NE(readers.back(), nullptr);
  }
  EXPECT_EQ(open(""), nullptr);
  readers[0]->close();
  EXPECT_NE(open(""), nullptr);
}

}  // namespace
}  // namespace maglb
