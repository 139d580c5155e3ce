#include "lib/config/service/pool_fields.h"

#include <fmt/format.h>

#include <iterator>
#include <string_view>

#include "lib/config/service/durations.h"
#include "lib/config/service/text_values.h"
#include "lib/config/service/write.h"
#include "lib/yaml/text.h"

namespace maglb {
namespace {

using yaml::Field;
using yaml::MapReader;
using yaml::Word;

constexpr Word<Scheduler> kSchedulers[] = {{"maglev", Scheduler::kMaglev},
                                           {"source-hash", Scheduler::kSourceHash},
                                           {"round-robin", Scheduler::kRoundRobin},
                                           {"least-connections", Scheduler::kLeastConnections},
                                           {"random", Scheduler::kRandom}};
constexpr Word<DrainEnd> kDrainEnds[] = {{"leave", DrainEnd::kLeave}, {"close", DrainEnd::kClose}};
constexpr std::string_view kPrefixFault = "has a meaning with scheduler source-hash only";

// 3, or "50%".
void read_quorum(const Field& field, Quorum& quorum) {
  if (!field.present()) {
    return;
  }
  const std::string_view text = field.node().text;
  if (field.node().is_scalar() && text.ends_with('%')) {
    const auto percent = yaml::parse_integer(text.substr(0, text.size() - 1));
    if (percent && *percent >= 1 && *percent <= 100) {
      quorum = {static_cast<uint32_t>(*percent), true};
    } else {
      field.problem(fmt::format("expected a percentage in 1%..100%, not {}", yaml::describe(field.node())));
    }
    return;
  }
  if (!field.node().is_scalar() || !yaml::parse_integer(text)) {
    field.problem(fmt::format("expected a number of backends, or a percentage like 50%, not {}",
                              yaml::describe(field.node())));
    return;
  }
  if (field.integer(0, kMaxPoolBackends, quorum.value)) {
    quorum.is_percent = false;
  }
}

void read_source_prefix(const Field& field, PoolConfig& pool, FieldMarks& marks) {
  if (!field.present()) {
    return;
  }
  if (pool.scheduler != Scheduler::kSourceHash) {
    field.problem(kPrefixFault);
    return;
  }
  MapReader map(field.node(), field.context(), field.problems());
  const Field v4 = map.optional("ipv4");
  const Field v6 = map.optional("ipv6");
  map.finish();
  marks.set("source_prefix.ipv4", v4.mark());
  marks.set("source_prefix.ipv6", v6.mark());
  v4.integer(1, 32, pool.source_prefix_v4);
  v6.integer(1, 128, pool.source_prefix_v6);
}

}  // namespace

void read_pool_fields(MapReader& map, PoolConfig& pool, FieldMarks& marks) {
  const auto take = [&](std::string_view key) {
    Field field = map.optional(key);
    marks.set(key, field.mark());
    return field;
  };
  take("scheduler").word<Scheduler>(kSchedulers, pool.scheduler);
  read_source_prefix(take("source_prefix"), pool, marks);
  read_quorum(take("min_healthy"), pool.min_healthy);
  take("fallback").string(pool.fallback);
  take("slow_start").duration(Duration{}, kMaxSlowStart, pool.slow_start);
  take("drain_timeout").duration(Duration{}, kMaxDrainTimeout, pool.drain_timeout);
  take("drain_end").word<DrainEnd>(kDrainEnds, pool.drain_end);
  take("max_connections").integer(1, kMaxConnections, pool.max_connections);
  take("passive").boolean(pool.passive);
}

std::vector<Fault> pool_field_faults(const PoolConfig& pool, const FieldMarks& marks) {
  Faults faults;
  faults.add_if(pool.scheduler > Scheduler::kRandom, marks.of("scheduler"), "scheduler",
                "expected one that there is");
  const bool by_source = pool.scheduler == Scheduler::kSourceHash;
  faults.add_if(!by_source && (pool.source_prefix_v4 != 32 || pool.source_prefix_v6 != 128),
                marks.of("source_prefix"), "source_prefix", std::string(kPrefixFault));
  faults.add_if(pool.source_prefix_v4 < 1 || pool.source_prefix_v4 > 32, marks.of("source_prefix.ipv4"),
                "source_prefix: ipv4", fmt::format("{} is not in 1..32", pool.source_prefix_v4));
  faults.add_if(pool.source_prefix_v6 < 1 || pool.source_prefix_v6 > 128, marks.of("source_prefix.ipv6"),
                "source_prefix: ipv6", fmt::format("{} is not in 1..128", pool.source_prefix_v6));
  const Quorum& quorum = pool.min_healthy;
  faults.add_if(quorum.is_percent && (quorum.value < 1 || quorum.value > 100), marks.of("min_healthy"),
                "min_healthy", "expected a percentage in 1%..100%");
  faults.add_if(!quorum.is_percent && quorum.value > kMaxPoolBackends, marks.of("min_healthy"), "min_healthy",
                fmt::format("{} is not in 0..{}", quorum.value, kMaxPoolBackends));
  faults.add_if(!is_between(Duration{}, pool.slow_start, kMaxSlowStart), marks.of("slow_start"), "slow_start",
                "expected whole milliseconds in 0s..1h");
  faults.add_if(!is_between(Duration{}, pool.drain_timeout, kMaxDrainTimeout), marks.of("drain_timeout"),
                "drain_timeout", "expected whole milliseconds in 0s..168h");
  faults.add_if(pool.drain_end > DrainEnd::kClose, marks.of("drain_end"), "drain_end",
                "expected leave or close");
  faults.add_if(pool.drain_end != DrainEnd::kLeave && pool.drain_timeout == Duration{}, marks.of("drain_end"),
                "drain_end", "has a meaning with a drain_timeout only: without one a drain has no end");
  faults.add_if(pool.max_connections > kMaxConnections, marks.of("max_connections"), "max_connections",
                fmt::format("{} is not in 1..{}", pool.max_connections, kMaxConnections));
  return faults.take();
}

void write_pool_fields(const PoolConfig& pool, std::string& out) {
  const PoolConfig defaults;
  const auto add_if = [&out](bool is_said, std::string_view key, const auto& value) {
    if (is_said) {
      fmt::format_to(std::back_inserter(out), "    {}: {}\n", key, value);
    }
  };
  add_if(pool.source_prefix_v4 != defaults.source_prefix_v4 ||
             pool.source_prefix_v6 != defaults.source_prefix_v6,
         "source_prefix",
         fmt::format("{{ipv4: {}, ipv6: {}}}", pool.source_prefix_v4, pool.source_prefix_v6));
  add_if(pool.min_healthy != defaults.min_healthy, "min_healthy",
         pool.min_healthy.is_percent ? '"' + to_string(pool.min_healthy) + '"' : to_string(pool.min_healthy));
  add_if(!pool.fallback.empty(), "fallback", write_text(pool.fallback));
  add_if(pool.slow_start != Duration{}, "slow_start", yaml::format_duration(pool.slow_start));
  add_if(pool.drain_timeout != Duration{}, "drain_timeout", yaml::format_duration(pool.drain_timeout));
  add_if(pool.drain_end != defaults.drain_end, "drain_end", to_string(pool.drain_end));
  add_if(pool.max_connections != 0, "max_connections", pool.max_connections);
  add_if(pool.passive, "passive", "on");
}

}  // namespace maglb
