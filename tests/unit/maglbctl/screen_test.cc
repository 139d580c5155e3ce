#include "tools/maglbctl/render/screen.h"

#include <gtest/gtest.h>

#include <random>

#include "tools/maglbctl/keys.h"
#include "tools/maglbctl/render/human.h"

namespace maglb::ctl {
namespace {

using Lines = std::vector<std::string>;

TEST(Screen, CutsLinesByColumns) {
  EXPECT_EQ(clipped("abcdef", 3), "abc");
  EXPECT_EQ(clipped("abc", 3), "abc");
  EXPECT_EQ(clipped("", 3), "");
  EXPECT_EQ(clipped("abc", 0), "");
  EXPECT_EQ(clipped("K\xc3\xb6ln", 2), "K\xc3\xb6");
  EXPECT_EQ(clipped("\xe4\xb8\xad\xe6\x96\x87", 3), "\xe4\xb8\xad") << "half of a wide letter is none";
}

TEST(Screen, ClosesTheColourThatItCuts) {
  EXPECT_EQ(clipped("\x1b[32mhealthy\x1b[0m", 4), "\x1b[32mheal\x1b[0m");
  EXPECT_EQ(clipped("\x1b[32mok\x1b[0m next", 4), "\x1b[32mok\x1b[0m n");
}

const Frame kFrame{{"h1", "h2"}, {"b0", "b1", "b2", "b3", "b4"}};

TEST(Screen, ScrollsTheBodyUnderItsHead) {
  EXPECT_EQ(fit(kFrame, {80, 4}, 0), (Lines{"h1", "h2", "b0", "b1"}));
  EXPECT_EQ(fit(kFrame, {80, 4}, 2), (Lines{"h1", "h2", "b2", "b3"}));
  EXPECT_EQ(fit(kFrame, {80, 4}, 99), (Lines{"h1", "h2", "b3", "b4"}));
  EXPECT_EQ(last_offset(kFrame, {80, 4}), 3u);
}

TEST(Screen, FitsEverySize) {
  EXPECT_EQ(fit(kFrame, {80, 100}, 7).size(), 7u);
  EXPECT_EQ(fit(kFrame, {1, 1}, 0), (Lines{"h"}));
  EXPECT_EQ(fit(kFrame, {80, 0}, 3), Lines{});
  EXPECT_EQ(fit(Frame{}, {80, 24}, 3), Lines{});
}

TEST(Keys, AreKnownInBothModesOfATerminal) {
  EXPECT_EQ(decode_keys("q"), std::vector{Key::kQuit});
  EXPECT_EQ(decode_keys("s\x1b[A\x1bOB\x1b[5~\x1b[6~"),
            (std::vector{Key::kSort, Key::kUp, Key::kDown, Key::kPageUp, Key::kPageDown}));
  EXPECT_EQ(decode_keys("\x1b[H\x1b[F"), (std::vector{Key::kHome, Key::kEnd}));
}

TEST(Keys, PassOverWhatTheyDoNotKnow) {
  EXPECT_EQ(decode_keys("\x1b[1;5q\x1b[24~x\x1bOqs"), std::vector{Key::kSort});
  EXPECT_EQ(decode_keys("\x1b"), std::vector<Key>{});
  EXPECT_EQ(decode_keys("\x1b[1;5"), std::vector<Key>{});
}

TEST(Keys, EndForAnyBytes) {
  std::mt19937 random(7);
  for (int i = 0; i < 1000; ++i) {
    std::string bytes;
    for (auto left = random() % 20; left > 0; --left) {
      bytes += "\x1b[O~;A5q\xff"[random() % 9];
    }
    EXPECT_LE(decode_keys(bytes).size(), bytes.size());
  }
}

}  // namespace
}  // namespace maglb::ctl
