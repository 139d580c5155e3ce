#include "controlplane/publish/heard_stats.h"

#include <gtest/gtest.h>

namespace maglb {
namespace {

ipc::Stats answer(std::initializer_list<const char*> backends) {
  ipc::Stats stats;
  for (const char* name : backends) {
    ipc::BackendStats& backend = *stats.add_backends();
    backend.set_pool("web");
    backend.set_name(name);
  }
  return stats;
}

TEST(HeardStats, OfADataplaneThatTellsEverythingTheLastAnswerCounts) {
  HeardStats heard;
  EXPECT_FALSE(heard.is_whole());
  EXPECT_FALSE(heard.take(answer({"a", "b"})));
  EXPECT_TRUE(heard.is_whole());
  EXPECT_EQ(heard.next_request().since(), HeardStats::kNoMark);
  EXPECT_FALSE(heard.take(answer({"b"})));
  EXPECT_EQ(heard.backend("web", "a"), nullptr);
  EXPECT_NE(heard.backend("web", "b"), nullptr);
}

TEST(HeardStats, IsWholeWithTheLastPartAndGoesOnFromTheFirstOnesMark) {
  HeardStats heard;
  ipc::Stats first = answer({"a"});
  first.set_mark(5);
  first.set_more_after("web");
  EXPECT_TRUE(heard.take(std::move(first)));
  EXPECT_FALSE(heard.is_whole());
  EXPECT_EQ(heard.next_request().after_pool(), "web");
  ipc::Stats last = answer({"b"});
  last.set_mark(6);
  last.set_changes(true);
  EXPECT_FALSE(heard.take(std::move(last)));
  EXPECT_TRUE(heard.is_whole());
  EXPECT_NE(heard.backend("web", "a"), nullptr);
  EXPECT_EQ(heard.next_request().since(), 5u);
  EXPECT_TRUE(heard.next_request().after_pool().empty());
}

TEST(HeardStats, KnowsWhatItKnewUntilANewWholeIsThere) {
  HeardStats heard;
  heard.take(answer({"a"}));
  ipc::Stats first = answer({"b"});
  first.set_mark(9);
  first.set_more_after("web");
  EXPECT_TRUE(heard.take(std::move(first)));
  EXPECT_NE(heard.backend("web", "a"), nullptr);
  heard.start_anew();
  EXPECT_EQ(heard.next_request().since(), HeardStats::kNoMark);
  heard.take(answer({"c"}));
  EXPECT_EQ(heard.backend("web", "a"), nullptr);
  EXPECT_EQ(heard.backend("web", "b"), nullptr);
  EXPECT_NE(heard.backend("web", "c"), nullptr);
}

TEST(HeardStats, ChangesOfWhatIsNotKnownAreNotTaken) {
  HeardStats heard;
  ipc::Stats late = answer({"a"});
  late.set_mark(7);
  late.set_changes(true);
  EXPECT_FALSE(heard.take(std::move(late)));
  EXPECT_FALSE(heard.is_whole());
  EXPECT_EQ(heard.next_request().since(), HeardStats::kNoMark);
  heard.take(answer({"a", "b"}));
  EXPECT_TRUE(heard.is_whole());
  EXPECT_NE(heard.backend("web", "b"), nullptr);
}

TEST(HeardStats, ADataplaneThatGoesInCirclesIsNotAskedForEver) {
  HeardStats heard;
  ipc::Stats first = answer({"a"});
  first.set_more_after("m");
  EXPECT_TRUE(heard.take(std::move(first)));
  ipc::Stats again = answer({"a"});
  again.set_more_after("m");
  EXPECT_FALSE(heard.take(std::move(again)));
}

}  // namespace
}  // namespace maglb
