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
  EXPECT_EQ(config->tunnel_source_v4->to_string(), "10.0.0.2");
  EXPECT_EQ(config->tunnel_source_v6->to_string(), "2001:db8::2");
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
