#include "lib/config/machine/parse.h"

#include <gtest/gtest.h>

#include <string>

namespace maglb {
namespace {

constexpr std::string_view kExample = R"(# dataplane.yaml
cores: {main: 0, workers: [1]}
tunnel_source: {ipv4: 10.0.0.2, ipv6: "2001:db8:0::2"}          # or a prefix: one of its addresses per flow
ports:
  - {name: uplink, device: "net_af_xdp0,iface=lb0", mtu: 1500}  # any DPDK devargs or PCI address
)";

TEST(MachineConfigParse, ReadsTheExample) {
  const auto config = parse_machine_config(kExample, "d.yaml");
  ASSERT_TRUE(config) << config.error().to_string();
  EXPECT_EQ(config->main_core, 0u);
  EXPECT_EQ(config->worker_cores, std::vector<uint32_t>{1});
  EXPECT_EQ(config->tunnel_source_v4->to_string(), "10.0.0.2/32");
  EXPECT_EQ(config->tunnel_source_v6->to_string(), "2001:db8::2/128");
  ASSERT_EQ(config->ports.size(), 1u);
  EXPECT_EQ(config->ports[0].device, "net_af_xdp0,iface=lb0");
  EXPECT_EQ(config->ports[0].mtu, 1500);
  EXPECT_FALSE(config->ports[0].next_hop_mac);
  EXPECT_EQ(config->ports[0].buffers, 0u);
  EXPECT_FALSE(config->memory.hugepages);
}

TEST(MachineConfigParse, ReadsEverythingElse) {
  const auto config = parse_machine_config(R"(version: 1
cores: {main: 4, workers: [5, 4]}
ports:
  - {name: a, device: "0000:03:00.0", mtu: 9000, buffers: 262143, next_hop_mac: "02:00:00:00:00:09"}
  - {name: b, device: net_null0}
memory: {hugepages: off, size: 512M}
flow_table: {entries: 4096}
limits: {services: 10, pools: 20, backends: 30}
)",
                                           "d.yaml");
  ASSERT_TRUE(config) << config.error().to_string();
  EXPECT_EQ(config->worker_cores, (std::vector<uint32_t>{5, 4}));
  EXPECT_EQ(config->ports[0].next_hop_mac->to_string(), "02:00:00:00:00:09");
  EXPECT_EQ(config->ports[0].buffers, 262143u);
  EXPECT_EQ(config->memory.hugepages, false);
  EXPECT_EQ(config->memory.size_bytes, uint64_t{512} << 20);
  EXPECT_EQ(config->flow_entries, 4096u);
  EXPECT_EQ(config->limits, (LimitsConfig{10, 20, 30}));
}

TEST(MachineConfigParse, ReadsVlansAndSources) {
  const auto config = parse_machine_config(R"(cores: {main: 0, workers: [1]}
tunnel_source: {ipv4: 10.0.2.0/24, ipv6: "2001:db8:0:2::/64"}
nat_source: {ipv4: 10.0.3.0/25, ipv6: "2001:db8::3", ports: 20000-60000}
ports:
  - name: a
    device: net_null0
    vlans:
      - {name: front, id: 7, interface: a.7, mtu: 9000}
      - {name: back, id: [7, 8], next_hop_mac: "02:00:00:00:00:09"}
      - {name: top, id: 4094}
  - {name: b, device: net_null1, vlans: [{name: other, id: 7}]}
)",
                                           "d.yaml");
  ASSERT_TRUE(config) << config.error().to_string();
  EXPECT_EQ(config->tunnel_source_v4, IpPrefix::parse("10.0.2.0/24").value());
  EXPECT_EQ(config->tunnel_source_v6, IpPrefix::parse("2001:db8:0:2::/64").value());
  EXPECT_EQ(config->nat_source, (NatSourceConfig{IpPrefix::parse("10.0.3.0/25").value(),
                                                 IpPrefix::parse("2001:db8::3").value(),
                                                 {20000, 60000}}));
  const std::vector<VlanConfig> vlans = {
      {"front", 0, 7, "a.7", 9000, std::nullopt},
      {"back", 7, 8, "", 0, MacAddress::parse("02:00:00:00:00:09").value()},
      {"top", 0, 4094, "", 0, std::nullopt}};
  EXPECT_EQ(config->ports[0].vlans, vlans);
  EXPECT_EQ(config->ports[1].vlans, (std::vector<VlanConfig>{{"other", 0, 7, "", 0, std::nullopt}}));
}

TEST(MachineConfigParse, BoundsTheVlansOfAllPorts) {
  const auto with = [](int count) {
    std::string text = "cores: {main: 0, workers: [1]}\nports:\n";
    for (int i = 0; i < count; ++i) {
      const std::string number = std::to_string(i);
      text += i % 13 == 0 ? "  - {name: p" + number + ", device: net_null" + number + ", vlans: [" : ", ";
      text += "{name: v" + number + ", id: " + std::to_string(i + 1) + "}";
      text += i % 13 == 12 || i + 1 == count ? "]}\n" : "";
    }
    return parse_machine_config(text, "d.yaml");
  };
  EXPECT_TRUE(with(64));
  const auto refused = with(65);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().to_string(), "d.yaml:3:3: ports: expected at most 64 VLANs, not 65");
}

struct Refusal {
  const char* name;
  const char* text;
  const char* message;  // the first problem
};

std::ostream& operator<<(std::ostream& out, const Refusal& refusal) {
  return out << refusal.name;
}

#define CORES "cores: {main: 0, workers: [1]}\n"
#define PORTS "ports: [{name: p, device: net_null0}]\n"

constexpr Refusal kRefusals[] = {
#include "tests/unit/config/machine/link_refusals.inc"
#include "tests/unit/config/machine/refusals.inc"
};

class Refused : public testing::TestWithParam<Refusal> {};

TEST_P(Refused, WithPlaceAndReason) {
  const auto config = parse_machine_config(GetParam().text, "d.yaml");
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().describe(config.error().list().front()), GetParam().message);
}

INSTANTIATE_TEST_SUITE_P(MachineConfig, Refused, testing::ValuesIn(kRefusals),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace maglb
