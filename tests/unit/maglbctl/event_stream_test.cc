#include "tools/maglbctl/render/event_stream.h"

#include <gtest/gtest.h>

#include <vector>

namespace maglb::ctl {
namespace {

using Events = std::vector<std::pair<std::string, std::string>>;

constexpr std::string_view kStream =
    "retry: 2000\n: maglb 0.1.0\n\nid: 42\nevent: health\ndata: {\"number\":42}\n\n: still here\n\n"
    "event: lost\ndata: {\"after\":7}\n\nevent: two\ndata: a\ndata: b\n\nevent: unfinished\n";

TEST(EventStream, ReadsEventsHoweverTheyAreCut) {
  const Events expected = {{"health", "{\"number\":42}"}, {"lost", "{\"after\":7}"}, {"two", "a\nb"}};
  for (size_t size = 1; size <= kStream.size(); ++size) {
    Events seen;
    EventStream events(
        [&](const std::string& name, const std::string& data) { seen.emplace_back(name, data); });
    for (size_t at = 0; at < kStream.size(); at += size) {
      EXPECT_TRUE(events.feed(kStream.substr(at, size)));
    }
    EXPECT_EQ(seen, expected) << size;
  }
}

TEST(EventStream, HoldsNoMoreThanItsBound) {
  size_t count = 0;
  EventStream line([&](const std::string&, const std::string&) { ++count; });
  EXPECT_TRUE(line.feed("event: x\ndata: "));
  EXPECT_FALSE(line.feed(std::string(EventStream::kMaxEvent + 1, 'x')));
  EventStream lines([&](const std::string&, const std::string&) { ++count; });
  bool taken = true;
  for (int i = 0; i < 3 && taken; ++i) {
    taken = lines.feed("data: " + std::string(EventStream::kMaxEvent / 2, 'x') + "\n");
  }
  EXPECT_FALSE(taken);
  EXPECT_EQ(count, 0U);
}

}  // namespace
}  // namespace maglb::ctl
