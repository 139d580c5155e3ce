#include "controlplane/desired/preview.h"

#include <gtest/gtest.h>

namespace maglb {
namespace {

const HealthOf kAllWell = [](std::string_view, std::string_view) { return true; };

PoolConfig pool(const std::string& name, uint32_t backends) {
  PoolConfig pool;
  pool.name = name;
  pool.table_size = 251;
  for (uint32_t i = 0; i < backends; ++i) {
    BackendConfig backend;
    backend.name = name + std::to_string(i);
    backend.address = *IpAddress::parse("10.0.0." + std::to_string(i + 1));
    pool.backends.push_back(backend);
  }
  return pool;
}

ServiceConfig with(std::vector<PoolConfig> pools) {
  ServiceConfig config;
  config.pools = std::move(pools);
  return config;
}

TEST(Preview, LeavesOutPoolsThatStay) {
  const ServiceConfig config = with({pool("dns", 1), pool("web", 2)});
  EXPECT_TRUE(preview(config, config, kAllWell).empty());
  ServiceConfig other = config;
  other.pools[1].backends.pop_back();
  const auto moved = preview(config, other, kAllWell);
  ASSERT_EQ(moved.size(), 1U);
  EXPECT_EQ(moved[0].pool, "web");
  EXPECT_EQ(moved[0].total, 251U);
  EXPECT_NEAR(static_cast<double>(moved[0].moved), 125, 10);
}

TEST(Preview, NamesPoolsThatComeAndGo) {
  const auto moved = preview(with({pool("old", 1)}), with({pool("new", 1)}), kAllWell);
  EXPECT_EQ(moved, (std::vector<PoolChurn>{{"new", 0, 251}, {"old", 251, 251}}));
}

TEST(Preview, MovesEverythingAboutWithAnotherSeed) {
  const ServiceConfig config = with({pool("web", 4)});
  ServiceConfig other = config;
  other.seed = 8;
  const auto moved = preview(config, other, kAllWell);
  ASSERT_EQ(moved.size(), 1U);
  EXPECT_NEAR(static_cast<double>(moved[0].moved), 251 * 0.75, 3);
}

TEST(Preview, CountsThoseThatFailAsTheyAre) {
  ServiceConfig config = with({pool("web", 2)});
  ServiceConfig other = config;
  other.pools[0].backends.pop_back();
  const HealthOf web1_fails = [](std::string_view, std::string_view backend) { return backend != "web1"; };
  const auto moved = preview(config, other, web1_fails);
  ASSERT_EQ(moved.size(), 1U);
  EXPECT_EQ(moved[0].moved, 0U);
}

}  // namespace
}  // namespace maglb
