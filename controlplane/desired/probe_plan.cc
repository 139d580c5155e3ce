#include "controlplane/desired/probe_plan.h"

#include <map>
#include <set>
#include <string>

namespace maglb {
namespace {

using Ports = std::set<uint16_t>;

// The ports at which to knock; 0 where the type has none.
Ports ports_of(const ProbeConfig& health, const Ports& services) {
  if (health.port != 0) {
    return {health.port};
  }
  if (health.type == ProbeType::kIcmp) {
    return {0};
  }
  // One program a backend: it is told the port where there is just one.
  if (health.type == ProbeType::kExec) {
    return services.size() == 1 ? services : Ports{0};
  }
  return services;
}

}  // namespace

std::vector<ProbeUser> plan_probes(const ServiceConfig& config) {
  std::map<std::string, Ports> service_ports;
  for (const ServiceEntry& service : config.services) {
    if (const uint16_t port = backend_port_of(service); port != 0) {
      service_ports[service.pool].insert(port);
    }
  }
  std::vector<ProbeUser> users;
  for (const PoolConfig& pool : config.pools) {
    for (const BackendConfig& backend : pool.backends) {
      const ProbeConfig& health = backend.health ? *backend.health : pool.health;
      if (health.type == ProbeType::kNone) {
        continue;
      }
      for (const uint16_t port : ports_of(health, service_ports[pool.name])) {
        users.push_back({pool.name, backend.name, ProbeTarget::make(backend.address, port, health), {}});
      }
    }
  }
  return users;
}

}  // namespace maglb
