#include "controlplane/desired/probe_plan.h"

#include <map>
#include <set>
#include <string>
#include <tuple>

namespace maglb {
namespace {

using ServicesOf = std::map<std::string, std::vector<const ServiceEntry*>>;  // by pool
using Ports = std::set<uint16_t>;

// Those of a pool that serves for another one in its need are those of both.
ServicesOf services_of(const ServiceConfig& config) {
  std::map<std::string, std::string> fallbacks;
  for (const PoolConfig& pool : config.pools) {
    fallbacks[pool.name] = pool.fallback;
  }
  ServicesOf services;
  for (const ServiceEntry& service : config.services) {
    services[service.pool].push_back(&service);
    if (const std::string& fallback = fallbacks[service.pool]; !fallback.empty()) {
      services[fallback].push_back(&service);
    }
  }
  return services;
}

// The ports at which to knock; 0 where the type has none.
Ports ports_of(const ProbeConfig& probe, const std::vector<const ServiceEntry*>& services) {
  if (probe.port != 0) {
    return {probe.port};
  }
  if (probe.type == ProbeType::kIcmp) {
    return {0};
  }
  Ports ports;
  for (const ServiceEntry* service : services) {
    if (const uint16_t port = backend_port_of(*service); port != 0) {
      ports.insert(port);
    }
  }
  // One program a backend: it is told the port where there is just one.
  return probe.type == ProbeType::kExec && ports.size() != 1 ? Ports{0} : ports;
}

IpAddress address_in(const IpPrefix& prefix) {
  IpAddress address = prefix.address;
  if (prefix.length < 128) {
    address.bytes.back() |= 1;
  }
  return address;
}

void plan_direct(const PoolConfig& pool, const BackendConfig& backend, const ProbeConfig& probe,
                 const std::vector<const ServiceEntry*>& services, std::vector<ProbeUser>& users) {
  for (const uint16_t port : ports_of(probe, services)) {
    users.push_back({pool.name, backend.name, ProbeTarget::make(backend.address, port, probe), {}, {}});
  }
}

void plan_tunnels(const PoolConfig& pool, const BackendConfig& backend, const ProbeConfig& probe,
                  const std::vector<const ServiceEntry*>& services, std::vector<ProbeUser>& users) {
  std::set<std::tuple<IpAddress, uint16_t, ProbePath>> planned;
  for (const ServiceEntry* service : services) {
    const uint16_t port = probe.port != 0 ? probe.port : backend_port_of(*service);
    if (service->forward == ForwardMode::kNat || port == 0) {
      continue;
    }
    const ProbePath path = ProbePath::of(service->forward, backend.address, service->options);
    const IpAddress address = address_in(service->address);
    if (planned.emplace(address, port, path).second) {
      ProbeTarget target = ProbeTarget::make(backend.address, port, probe);
      target.connect_to = address;
      users.push_back({pool.name, backend.name, std::move(target), {}, path});
    }
  }
}

}  // namespace

std::vector<ProbeUser> plan_probes(const ServiceConfig& config) {
  ServicesOf services = services_of(config);
  std::vector<ProbeUser> users;
  for (const PoolConfig& pool : config.pools) {
    for (const BackendConfig& backend : pool.backends) {
      const ProbeConfig& probe = backend.health ? *backend.health : pool.health;
      if (probe.type != ProbeType::kNone) {
        const auto plan = probe.via == ProbeVia::kTunnel ? plan_tunnels : plan_direct;
        plan(pool, backend, probe, services[pool.name], users);
      }
    }
  }
  return users;
}

}  // namespace maglb
