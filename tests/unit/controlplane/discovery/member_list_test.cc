#include "controlplane/discovery/member_list.h"

#include <gtest/gtest.h>

namespace maglb {
namespace {

IpAddress address_of(uint32_t number) {
  return IpAddress::v4(std::array<uint8_t, 4>{10, static_cast<uint8_t>(number >> 16),
                                              static_cast<uint8_t>(number >> 8),
                                              static_cast<uint8_t>(number)});
}

TEST(MemberList, TheSameAddressMayBeToldOftenUpToTheBound) {
  MemberList list;
  for (size_t i = 0; i < MemberList::kMostTold; ++i) {
    list.add(address_of(7), static_cast<uint32_t>(1 + i % 5));
  }
  const auto members = list.take();
  ASSERT_TRUE(members) << members.error().message;
  ASSERT_EQ(members->size(), 1u);
  EXPECT_EQ(members->front().weight, 5u) << "the greatest";
}

TEST(MemberList, BeyondTheBoundItIsRefusedAndHoldsNoMore) {
  MemberList list;
  for (size_t i = 0; i < 3 * MemberList::kMostTold; ++i) {
    list.add(address_of(7), 1);
  }
  EXPECT_FALSE(list.take());
  EXPECT_TRUE(list.empty());
}

TEST(MemberList, APoolsBoundIsOfDifferentAddresses) {
  MemberList list;
  for (uint32_t i = 0; i < kMaxPoolBackends; ++i) {
    list.add(address_of(i), 1);
    list.add(address_of(i), 1);
  }
  EXPECT_EQ(list.take().value().size(), kMaxPoolBackends);
  for (uint32_t i = 0; i <= kMaxPoolBackends; ++i) {
    list.add(address_of(i), 1);
  }
  EXPECT_FALSE(list.take());
}

TEST(MemberList, TwoAddressesUnderOneNameAreRefused) {
  MemberList list;
  list.add({"a", address_of(1)});
  list.add({"a", address_of(2)});
  EXPECT_FALSE(list.take());
}

}  // namespace
}  // namespace maglb
