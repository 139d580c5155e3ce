#include "lib/flow/nat_ports.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace maglb {
namespace {

std::vector<IpPrefix> prefixes(const std::vector<std::string>& texts) {
  std::vector<IpPrefix> all;
  for (const std::string& text : texts) {
    all.push_back(IpPrefix::parse(text).value());
  }
  return all;
}

NatPorts make(const std::vector<std::string>& texts, NatPortRange range, uint32_t workers) {
  return NatPorts::make(prefixes(texts), range, workers).value();
}

std::string error(const std::vector<std::string>& texts, NatPortRange range, uint32_t workers) {
  const auto ports = NatPorts::make(prefixes(texts), range, workers);
  return ports ? "" : ports.error().message;
}

IpAddress address(const std::string& text) {
  return IpAddress::parse(text).value();
}

TEST(NatPorts, HoldsEveryAddressOfItsPrefixesVersionFourFirst) {
  const NatPorts ports = make({"2001:db8::fe/127", "10.0.0.254/31", "10.0.1.0"}, {}, 1);
  ASSERT_EQ(ports.addresses().size(), 5u);
  EXPECT_EQ(ports.addresses()[0], address("10.0.0.254"));
  EXPECT_EQ(ports.addresses()[1], address("10.0.0.255"));
  EXPECT_EQ(ports.addresses()[2], address("10.0.1.0"));
  EXPECT_EQ(ports.addresses()[4], address("2001:db8::ff"));
  EXPECT_EQ(ports.family(true).first, 0u);
  EXPECT_EQ(ports.family(true).count, 3u);
  EXPECT_EQ(ports.family(false).first, 3u);
  EXPECT_EQ(ports.family(false).count, 2u);
}

TEST(NatPorts, SharesEveryPortOfEveryAddressAmongTheWorkers) {
  for (const uint32_t workers : {1u, 2u, 3u, 7u, 64u}) {
    const NatPorts ports = make({"10.0.0.0/30"}, {}, workers);
    EXPECT_EQ(ports.share(), 64512 / workers);
    for (const IpAddress& nat : ports.addresses()) {
      std::vector<uint32_t> owned(workers);
      for (uint32_t port = 0; port <= 65535; ++port) {
        const auto owner = ports.owner_of(nat, static_cast<uint16_t>(port));
        if (owner) {
          ASSERT_LT(*owner, workers);
          ASSERT_GE(port, ports.first_port(*owner));
          ASSERT_LT(port, ports.first_port(*owner) + ports.share());
          ++owned[*owner];
        } else {
          ASSERT_TRUE(port < 1024 || port >= 1024 + workers * ports.share()) << port;
        }
      }
      EXPECT_EQ(owned, std::vector<uint32_t>(workers, ports.share()));
    }
  }
}

TEST(NatPorts, KnowsItsAddressesAndNoOthers) {
  const NatPorts ports = make({"10.0.0.0/25", "2001:db8::/121"}, {}, 2);
  ASSERT_EQ(ports.addresses().size(), NatPorts::kMaxAddresses);
  for (size_t i = 0; i < ports.addresses().size(); ++i) {
    EXPECT_EQ(ports.index_of(ports.addresses()[i]), std::optional<uint8_t>(static_cast<uint8_t>(i)));
  }
  for (const char* other : {"10.0.0.128", "10.0.1.0", "9.255.255.255", "2001:db8::80", "::"}) {
    EXPECT_FALSE(ports.index_of(address(other))) << other;
    EXPECT_FALSE(ports.owner_of(address(other), 5000)) << other;
  }
}

TEST(NatPorts, TakesTheLastPortsToo) {
  const NatPorts ports = make({"10.0.0.1"}, {65534, 65535}, 2);
  EXPECT_EQ(ports.owner_of(address("10.0.0.1"), 65534), std::optional<uint32_t>(0));
  EXPECT_EQ(ports.owner_of(address("10.0.0.1"), 65535), std::optional<uint32_t>(1));
  EXPECT_EQ(ports.owner_of(address("10.0.0.1"), 65533), std::nullopt);
}

TEST(NatPorts, RefusesWhatCannotBe) {
  EXPECT_EQ(error({}, {}, 1), "no address");
  EXPECT_EQ(error({"10.0.0.0/23"}, {}, 1), "more than 256 addresses with 10.0.0.0/23");
  EXPECT_EQ(error({"10.0.0.0/24", "::1"}, {}, 1), "more than 256 addresses with ::1/128");
  EXPECT_EQ(error({"::/0"}, {}, 1), "more than 256 addresses with ::/0");
  EXPECT_EQ(error({"10.0.0.0/30", "10.0.0.2"}, {}, 1), "10.0.0.2 is there twice");
  EXPECT_EQ(error({"10.0.0.1"}, {0, 9}, 1), "no range of ports: 0 to 9");
  EXPECT_EQ(error({"10.0.0.1"}, {10, 9}, 1), "no range of ports: 10 to 9");
  EXPECT_EQ(error({"10.0.0.1"}, {10, 12}, 4), "3 ports cannot be shared by 4 workers");
  EXPECT_EQ(error({"10.0.0.1"}, {}, 0), "64512 ports cannot be shared by 0 workers");
}

}  // namespace
}  // namespace maglb
