#include "lib/config/service/pool_use.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <string_view>
#include <unordered_map>

#include "lib/config/service/write.h"
#include "lib/yaml/text.h"

namespace maglb {
namespace {

struct PoolUse {
  const PoolConfig* pool = nullptr;
  const PoolMarks* marks = nullptr;
  // The first services of their kind that use the pool, by its name or as a fallback.
  const ServiceEntry* any = nullptr;
  const ServiceEntry* nat_v4 = nullptr;
  const ServiceEntry* nat_v6 = nullptr;
  const ServiceEntry* stateless = nullptr;

  const ServiceEntry* nat() const { return nat_v4 != nullptr ? nat_v4 : nat_v6; }
};

class Uses {
 public:
  Uses(const ServiceConfig& config, const ServiceConfigMarks& marks) : config_(config) {
    for (size_t i = 0; i < config.pools.size(); ++i) {
      pools_.try_emplace(config.pools[i].name, PoolUse{&config.pools[i], &marks.pools[i]});
    }
    for (const ServiceEntry& service : config.services) {
      if (PoolUse* use = find(service.pool)) {
        note(service, *use);
        PoolUse* fallback = find(use->pool->fallback);
        if (fallback != nullptr && fallback != use) {
          note(service, *fallback);
        }
      }
    }
  }

  std::vector<Fault> run() {
    for (const PoolConfig& pool : config_.pools) {
      const PoolUse& use = *find(pool.name);
      if (use.pool == &pool) {  // not another of this name
        check_tunnels(use);
        check_flows(use);
        check_fallback(use);
      }
    }
    return faults_.take();
  }

 private:
  PoolUse* find(std::string_view name) {
    const auto at = pools_.find(name);
    return at == pools_.end() ? nullptr : &at->second;
  }

  static void note(const ServiceEntry& service, PoolUse& use) {
    const auto first = [&service](const ServiceEntry*& slot, bool is_one) {
      if (is_one && slot == nullptr) {
        slot = &service;
      }
    };
    const bool nat = service.forward == ForwardMode::kNat;
    first(use.any, true);
    first(use.nat_v4, nat && service.address.is_v4());
    first(use.nat_v6, nat && !service.address.is_v4());
    first(use.stateless, !service.flow);
  }

  void add_if(bool is_wrong, yaml::Mark mark, const PoolUse& use, std::string_view where, std::string why) {
    faults_.add_if(is_wrong, mark, fmt::format("pool {}: {}", use.pool->name, where), std::move(why));
  }

  void check_tunnel(const PoolUse& use, const ProbeConfig& probe, const FieldMarks& marks,
                    std::string_view where) {
    if (probe.via != ProbeVia::kTunnel) {
      return;
    }
    const ServiceEntry* nat = use.nat();
    add_if(use.any == nullptr, marks.of("via"), use, where,
           "tunnel needs a service that uses the pool: its address is what is probed");
    add_if(nat != nullptr, marks.of("via"), use, where,
           fmt::format("expected direct: service {} uses the pool with forward nat, which has no tunnel",
                       nat != nullptr ? nat->name : ""));
  }

  void check_tunnels(const PoolUse& use) {
    check_tunnel(use, use.pool->health, use.marks->health, "health: via");
    for (size_t i = 0; i < use.pool->backends.size(); ++i) {
      const BackendConfig& backend = use.pool->backends[i];
      if (backend.health) {
        check_tunnel(use, *backend.health, use.marks->backends[i].health,
                     fmt::format("backend {}: health: via", backend.name));
      }
    }
  }

  // What counts flows needs services that have them.
  void check_flows(const PoolUse& use) {
    if (use.stateless == nullptr) {
      return;
    }
    const PoolConfig& pool = *use.pool;
    const std::string because = fmt::format("service {} uses the pool with flow off", use.stateless->name);
    add_if(is_stateful(pool.scheduler), use.marks->fields.of("scheduler"), use, "scheduler",
           fmt::format("{} chooses for the first packet of a flow: {}", to_string(pool.scheduler), because));
    add_if(pool.max_connections != 0, use.marks->fields.of("max_connections"), use, "max_connections",
           "nothing is counted: " + because);
    add_if(pool.passive, use.marks->fields.of("passive"), use, "passive",
           "no flow is seen to open: " + because);
    for (size_t i = 0; i < pool.backends.size(); ++i) {
      add_if(pool.backends[i].max_connections != 0, use.marks->backends[i].max_connections, use,
             fmt::format("backend {}: max_connections", pool.backends[i].name),
             "nothing is counted: " + because);
    }
  }

  void check_fallback(const PoolUse& use) {
    const std::string& name = use.pool->fallback;
    if (name.empty()) {
      return;
    }
    const yaml::Mark mark = use.marks->fields.of("fallback");
    const PoolUse* other = find(name);
    if (other == nullptr) {
      add_if(true, mark, use, "fallback", unknown_pool(config_, name));
      return;
    }
    if (other == &use) {
      add_if(true, mark, use, "fallback", "expected another pool");
      return;
    }
    add_if(!other->pool->fallback.empty(), mark, use, "fallback",
           fmt::format("pool {} has a fallback itself: expected one that has none", name));
    check_shared_address(use, *other, mark);
    check_families(use, *other, mark);
  }

  void check_shared_address(const PoolUse& use, const PoolUse& other, yaml::Mark mark) {
    std::map<IpAddress, std::string_view> addresses;
    for (const BackendConfig& backend : use.pool->backends) {
      addresses.try_emplace(backend.address, backend.name);
    }
    for (const BackendConfig& backend : other.pool->backends) {
      if (const auto at = addresses.find(backend.address); at != addresses.end()) {
        add_if(true, mark, use, "fallback",
               fmt::format("backend {} of pool {} has the address of backend {}: {}", backend.name,
                           other.pool->name, at->second, backend.address.to_string()));
        return;
      }
    }
  }

  void check_families(const PoolUse& use, const PoolUse& other, yaml::Mark mark) {
    for (const BackendConfig& backend : other.pool->backends) {
      const ServiceEntry* nat = backend.address.is_v4() ? use.nat_v6 : use.nat_v4;
      if (nat != nullptr) {
        add_if(true, mark, use, "fallback",
               fmt::format("service {} cannot use it: nat does not translate between IPv4 and IPv6, and "
                           "backend {} of pool {} is {}",
                           nat->name, backend.name, other.pool->name, backend.address.to_string()));
        return;
      }
    }
  }

  const ServiceConfig& config_;
  std::unordered_map<std::string_view, PoolUse> pools_;
  Faults faults_;
};

}  // namespace

std::vector<Fault> pool_use_faults(const ServiceConfig& config, const ServiceConfigMarks& marks) {
  return Uses(config, marks).run();
}

std::string unknown_pool(const ServiceConfig& config, std::string_view name) {
  std::vector<std::string_view> known;
  for (const PoolConfig& pool : config.pools) {
    known.push_back(pool.name);
  }
  const std::string_view meant = yaml::closest(name, known);
  return fmt::format("there is no pool {}{}", yaml::quote(name),
                     meant.empty() ? "" : fmt::format(": did you mean '{}'?", meant));
}

}  // namespace maglb
