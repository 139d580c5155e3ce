// A thousand pools of a hundred backends: a transition costs what it changes, and a reload of ten thousand
// healthy backends moves nothing. Times are of this process's own: a busy machine does not count.
#include <time.h>

#include "lib/snapshot/build/compile.h"
#include "tests/unit/controlplane/desired/reconciler_fixture.h"

namespace maglb {
namespace {

double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

ServiceConfig many(uint32_t pools, uint32_t table_size, ProbeType probe) {
  ServiceConfig config;
  for (uint32_t p = 0; p < pools; ++p) {
    PoolConfig pool;
    pool.name = "p" + std::to_string(p);
    pool.table_size = table_size;
    pool.health.type = probe;
    pool.health.port = 9;
    pool.health.interval = std::chrono::hours(1);
    for (uint32_t b = 0; b < 100; ++b) {
      BackendConfig backend;
      backend.name = "b" + std::to_string(b);
      backend.address = IpAddress::v4(
          {10, static_cast<uint8_t>(p >> 8), static_cast<uint8_t>(p), static_cast<uint8_t>(b + 1)});
      pool.backends.push_back(backend);
    }
    ServiceEntry service;
    service.name = pool.name;
    service.pool = pool.name;
    service.address = IpAddress::v4({198, 18, static_cast<uint8_t>(p >> 8), static_cast<uint8_t>(p)});
    service.port = uint16_t{80};
    config.services.push_back(service);
    config.pools.push_back(std::move(pool));
  }
  return config;
}

class ScaleTest : public ReconcilerTest {};

TEST_F(ScaleTest, AThousandPoolsAndOneOfThemChanges) {
  double began = cpu_seconds();
  adopt(many(1000, 10007, ProbeType::kNone));
  const double start = cpu_seconds() - began;
  const auto untouched = table("p8").spec;
  began = cpu_seconds();
  constexpr int kTimes = 20;
  for (int i = 0; i < kTimes; ++i) {
    ReconcilerTestAccess::transition(*reconciler_, "p7");
  }
  const double flap = (cpu_seconds() - began) / kTimes;
  printf("1,000 x 100, tables of 10,007: compiled in %.3f s, one pool looked at in %.3f ms\n", start,
         flap * 1e3);
  EXPECT_EQ(table("p8").spec, untouched);
  EXPECT_LT(start, 20.0);
  EXPECT_LT(flap, 0.1);
  EXPECT_LT(flap, start / 100) << "it does not cost the whole";
}

TEST_F(ScaleTest, AReloadOfTenThousandBackendsProbesAndMovesNothing) {
  ServiceConfig config = many(100, 65537, ProbeType::kNone);
  adopt(config);
  const uint64_t generation = reconciler_->generation();
  std::vector<std::shared_ptr<const PoolSpec>> before;
  for (const PoolConfig& pool : config.pools) {
    before.push_back(table(pool.name).spec);
  }
  const double began = cpu_seconds();
  adopt(config);
  printf("reload of 10,000 backends: %.3f s\n", cpu_seconds() - began);
  EXPECT_LT(cpu_seconds() - began, 10.0);
  EXPECT_EQ(reconciler_->generation(), generation);
  for (size_t i = 0; i < before.size(); ++i) {
    EXPECT_EQ(table(config.pools[i].name).spec, before[i]) << "the same table, to the object";
  }
}

}  // namespace
}  // namespace maglb
