#include "controlplane/desired/room_search.h"

#include <gtest/gtest.h>

namespace maglb {
namespace {

std::vector<BackendConfig> list_of(size_t size) {
  return std::vector<BackendConfig>(size, BackendConfig{"a", *IpAddress::parse("10.0.0.1")});
}

class RoomSearchTest : public testing::Test {
 protected:
  RoomSearch search(FoundMembers fitting, size_t room) {
    return {std::move(fitting), [this, room](const FoundMembers& members) -> Result<void> {
              ++tries_;
              size_t count = 0;
              for (const auto& [pool, list] : members) {
                count += list.size();
              }
              return count <= room ? Result<void>() : fail(ErrorKind::kConflict, "no room");
            }};
  }
  int tries_ = 0;
};

TEST_F(RoomSearchTest, WhatFitsTogetherIsTriedOnce) {
  RoomSearch found = search({{"old", list_of(1)}}, 6);
  found.add({{"a", list_of(2)}, {"b", list_of(3)}});
  EXPECT_EQ(found.fitting().size(), 3u);
  EXPECT_TRUE(found.refused().empty());
  EXPECT_EQ(tries_, 1);
}

TEST_F(RoomSearchTest, OneThatIsTooLongKeepsNoOtherOut) {
  RoomSearch found = search({{"b", list_of(4)}}, 10);
  found.add({{"a", list_of(2)}, {"b", list_of(100)}, {"c", list_of(3)}, {"d", list_of(1)}});
  EXPECT_EQ(found.fitting(),
            (FoundMembers{{"a", list_of(2)}, {"b", list_of(4)}, {"c", list_of(3)}, {"d", list_of(1)}}));
  EXPECT_EQ(found.refused(), (std::map<std::string, std::string>{{"b", "no room"}}));
}

TEST_F(RoomSearchTest, TriesAreBounded) {
  RoomSearch found = search({}, 0);
  FoundMembers many;
  for (int i = 0; i < 1000; ++i) {
    many["p" + std::to_string(i)] = list_of(1);
  }
  found.add(many);
  EXPECT_EQ(found.refused().size(), 1000u);
  EXPECT_TRUE(found.fitting().empty());
  EXPECT_LE(tries_, RoomSearch::kMostTries);
}

}  // namespace
}  // namespace maglb
