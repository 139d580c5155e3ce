#include "lib/config/service/validate.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>

#include "lib/base/hex.h"
#include "lib/base/prime.h"
#include "lib/config/fields.h"
#include "lib/config/service/address_fault.h"
#include "lib/config/service/durations.h"
#include "lib/config/service/option_faults.h"
#include "lib/config/service/own_probes.h"
#include "lib/config/service/pool_fields.h"
#include "lib/config/service/pool_use.h"
#include "lib/config/service/probe_faults.h"
#include "lib/config/service/probe_keys.h"
#include "lib/config/service/source_fields.h"
#include "lib/yaml/text.h"

namespace maglb {

namespace {

using yaml::Mark;

class Validator {
 public:
  Validator(const ServiceConfig& config, const ServiceConfigMarks& marks, yaml::Problems& problems)
      : config_(config), marks_(marks), problems_(problems) {}

  void run() {
    for (size_t i = 0; i < config_.pools.size(); ++i) {
      check_pool(config_.pools[i], marks_.pools[i]);
    }
    for (size_t i = 0; i < config_.services.size(); ++i) {
      check_service(config_.services[i], marks_.services[i]);
    }
    for (const Fault& fault : pool_use_faults(config_, marks_)) {
      report(fault.mark, fault.key, fault.why);
    }
    if (config_.network_failure > NetworkFailure::kAct) {
      report({}, "network_failure", "expected hold or act");
    }
  }

 private:
  struct Use {
    const PoolConfig* pool = nullptr;
    const ServiceEntry* service = nullptr;  // the first that uses the pool
    bool different_ports = false;
  };
  // Of an address.
  struct Owner {
    std::string_view pool;
    std::string_view backend;
    std::string text() const { return fmt::format("{}/{}", pool, backend); }
  };
  // What the backends of one pool have so far.
  struct Taken {
    std::set<std::string_view> names;
    std::map<IpAddress, std::string_view> addresses;
    std::map<std::string_view, std::string_view> server_ids;
  };

  void report(Mark mark, std::string_view context, std::string_view message) {
    problems_.add_if_new(mark, yaml::with_context(context, message));
  }

  void report_all(const std::vector<Fault>& faults, const std::string& context) {
    for (const Fault& fault : faults) {
      report(fault.mark, fault.key.empty() ? context : fmt::format("{}: {}", context, fault.key), fault.why);
    }
  }

  void check_name(Mark mark, std::string_view context, const std::string& name) {
    if (!is_name(name)) {
      report(mark, context, fmt::format("expected a name of {}", kNameRule));
    }
  }

  void check_pool(const PoolConfig& pool, const PoolMarks& marks) {
    const std::string context = "pool " + (is_name(pool.name) ? pool.name : yaml::quote(pool.name));
    check_name(marks.name, context, pool.name);
    if (!uses_.try_emplace(pool.name, Use{&pool, nullptr, false}).second) {
      report(marks.name, context, "another pool has this name");
    }
    check_table_size(pool, marks, context);
    slots_ += pool.table_size;
    if (slots_ > kMaxSlots && slots_ - pool.table_size <= kMaxSlots) {  // said once
      report(marks.name, context,
             fmt::format("with this one the tables have {} slots together, at most {} are possible", slots_,
                         kMaxSlots));
    }
    report_all(pool_field_faults(pool, marks.fields), context);
    report_all(source_faults(pool.source, marks.source), context + ": source");
    report_all(probe_faults(pool.health, marks.health), context + ": health");
    Taken taken;
    for (size_t i = 0; i < pool.backends.size(); ++i) {
      check_backend(pool, pool.backends[i], marks.backends[i], context, taken);
    }
  }

  void check_table_size(const PoolConfig& pool, const PoolMarks& marks, const std::string& context) {
    const std::string where = context + ": table_size";
    if (pool.table_size < kMinTableSize || pool.table_size > kMaxPoolTableSize) {
      report(marks.table_size, where,
             fmt::format("{} is not in {}..{}", pool.table_size, kMinTableSize, kMaxPoolTableSize));
    } else if (!is_prime(pool.table_size)) {
      uint32_t next = pool.table_size;
      while (!is_prime(next)) {
        ++next;
      }
      report(marks.table_size, where,
             fmt::format("expected a prime: {} is not, the next one is {}", pool.table_size, next));
    } else if (pool.table_size <= pool.backends.size()) {
      report(marks.table_size, where,
             fmt::format("expected more slots than the pool's {} backends, not {}", pool.backends.size(),
                         pool.table_size));
    }
    if (pool.backends.size() > kMaxPoolBackends) {
      report(marks.name, context,
             fmt::format("expected at most {} backends, not {}", kMaxPoolBackends, pool.backends.size()));
    }
  }

  void check_backend(const PoolConfig& pool, const BackendConfig& backend, const BackendMarks& marks,
                     const std::string& pool_context, Taken& taken) {
    const std::string context = fmt::format("{}: backend {}", pool_context,
                                            is_name(backend.name) ? backend.name : yaml::quote(backend.name));
    check_name(marks.name, context, backend.name);
    if (!taken.names.insert(backend.name).second) {
      report(marks.name, context, "another backend of the pool has this name");
    }
    if (const std::string_view fault = address_fault(backend.address); !fault.empty()) {
      report(marks.address, context + ": address", fmt::format("{} {}", backend.address.to_string(), fault));
    } else if (const auto [other, added] = taken.addresses.try_emplace(backend.address, backend.name);
               !added) {
      report(
          marks.address, context + ": address",
          fmt::format("{} is the address of backend {} already", backend.address.to_string(), other->second));
    }
    if (backend.weight > kMaxWeight) {
      report(marks.weight, context + ": weight",
             fmt::format("{} is not in 0..{}", backend.weight, kMaxWeight));
    }
    if (backend.max_connections > kMaxConnections) {
      report(marks.max_connections, context + ": max_connections",
             fmt::format("{} is not in 1..{}", backend.max_connections, kMaxConnections));
    }
    check_own_probe(pool, backend, marks, context);
    check_server_ids(backend, marks, context, taken);
    backends_.try_emplace(backend.address, Owner{pool.name, backend.name});
  }

  void check_server_ids(const BackendConfig& backend, const BackendMarks& marks, const std::string& context,
                        Taken& taken) {
    for (const std::string& id : backend.server_ids) {
      if (id.empty() || id.size() > kLongestServerId) {
        report(marks.server_ids, context + ": server_ids",
               fmt::format("expected 1..{} octets", kLongestServerId));
      } else if (const auto [other, added] = taken.server_ids.try_emplace(id, backend.name); !added) {
        report(marks.server_ids, context + ": server_ids",
               fmt::format("{} is a server id of backend {} already", to_hex(id), other->second));
      }
    }
  }

  void check_own_probe(const PoolConfig& pool, const BackendConfig& backend, const BackendMarks& marks,
                       const std::string& context) {
    if (!backend.health) {
      return;
    }
    const ProbeConfig& probe = *backend.health;
    if (const std::string fault = own_probes_.add(probe); !fault.empty()) {
      report(marks.health.self(), context + ": health", fault);
    }
    report_all(probe_faults(probe, marks.health), context + ": health");
    if (probe.port == 0 && pool.health.port != 0 && has_type(kProbesWithPort, probe.type)) {
      report(marks.health.self(), context + ": health", "expected a port: the pool's probe has one");
    }
  }

  void check_service(const ServiceEntry& service, const ServiceMarks& marks) {
    const std::string context =
        "service " + (is_name(service.name) ? service.name : yaml::quote(service.name));
    check_name(marks.name, context, service.name);
    if (!service_names_.try_emplace(service.name, true).second) {
      report(marks.name, context, "another service has this name");
    }
    if (service.protocol != Protocol::kTcp && service.protocol != Protocol::kUdp &&
        service.protocol != Protocol::kAny) {
      report(marks.protocol, context + ": protocol", "expected tcp, udp or any");
    }
    if (service.port.last < service.port.first || (service.port.first == 0 && !service.port.is_any())) {
      report(marks.port, context + ": port", "expected ports in 1..65535");
    }
    if (service.forward > kLastForwardMode) {
      report(marks.forward, context + ": forward", "expected ipip, gue, gre, l2 or nat");
    }
    check_service_address(service, marks, context);
    check_use(service, marks, context);
    report_all(option_faults(service, marks), context);
    check_sources(service.options.source_allow, marks.source_allow, context + ": source_allow");
    check_sources(service.options.source_deny, marks.source_deny, context + ": source_deny");
    const FlowTimeouts& timeouts = service.timeouts;
    for (const Duration timeout : {timeouts.opening, timeouts.established, timeouts.closing, timeouts.udp}) {
      if (!is_between(kMinIdleTimeout, timeout, kMaxIdleTimeout)) {
        report(marks.timeouts, context + ": timeouts", "expected whole milliseconds in 100ms..24h");
      }
    }
  }

  void check_service_address(const ServiceEntry& service, const ServiceMarks& marks,
                             const std::string& context) {
    const std::string where = context + ": address";
    const std::string text = service.address.to_short_string();
    if (const std::string_view fault = address_fault(service.address); !fault.empty()) {
      report(marks.address, where, fmt::format("{} {}", text, fault));
      return;
    }
    if (const auto backend = first_backend_in(service.address); backend != backends_.end()) {
      report(marks.address, where,
             service.address.is_single()
                 ? fmt::format("{} is the address of backend {}", text, backend->second.text())
                 : fmt::format("{} holds {}, the address of backend {}", text, backend->first.to_string(),
                               backend->second.text()));
      return;
    }
    check_match(service, marks, context);
    const auto [said, first] =
        pings_.try_emplace(service.address, std::pair{service.options.forward_ping, service.name});
    if (!first && said->second.first != service.options.forward_ping) {
      report(marks.ping, context + ": ping",
             fmt::format("service {} of the same address says otherwise", said->second.second));
    }
  }

  std::map<IpAddress, Owner>::const_iterator first_backend_in(const IpPrefix& prefix) const {
    const auto at = backends_.lower_bound(prefix.address);
    return at != backends_.end() && prefix.contains(at->first) ? at : backends_.end();
  }

  // No two services that one packet could match without one being the more specific.
  void check_match(const ServiceEntry& service, const ServiceMarks& marks, const std::string& context) {
    auto& others = matches_[{service.address, service.protocol}];
    const auto ambiguous = [&service](const ServiceEntry* other) {
      return other->port.size() == service.port.size() && other->port.overlaps(service.port);
    };
    // Single ports, the most of all, are found without going over all of them.
    const auto by_port =
        service.port.is_single()
            ? endpoints_.try_emplace(std::tuple{service.address, service.protocol, service.port.first},
                                     &service)
            : std::pair{endpoints_.end(), true};
    const ServiceEntry* other = by_port.second ? nullptr : by_port.first->second;
    if (!service.port.is_single()) {
      const auto at = std::find_if(others.begin(), others.end(), ambiguous);
      other = at == others.end() ? nullptr : *at;
      others.push_back(&service);
    }
    if (other == nullptr) {
      return;
    }
    const std::string what = fmt::format("{} {} port {}", service.address.to_short_string(),
                                         to_string(service.protocol), service.port.to_string());
    if (other->port == service.port) {
      report(marks.address, context, fmt::format("{} is service {} already", what, other->name));
    } else {
      report(marks.port, context + ": port",
             fmt::format("{} and service {}, port {}, overlap and neither is the more specific", what,
                         other->name, other->port.to_string()));
    }
  }

  void check_sources(const std::vector<IpPrefix>& prefixes, Mark mark, const std::string& where) {
    if (prefixes.size() > kMaxSourcePrefixes) {
      report(mark, where,
             fmt::format("{} prefixes, at most {} are possible", prefixes.size(), kMaxSourcePrefixes));
    }
  }

  void check_use(const ServiceEntry& service, const ServiceMarks& marks, const std::string& context) {
    const auto found = uses_.find(service.pool);
    if (found == uses_.end()) {
      if (!problems_.full()) {
        report(marks.pool, context + ": pool", unknown_pool(config_, service.pool));
      }
      return;
    }
    check_pool_for(service, marks, *found->second.pool, context);
    check_port_for(service, found->second);
    const auto fallback = uses_.find(found->second.pool->fallback);
    if (fallback != uses_.end() && fallback != found) {
      check_port_for(service, fallback->second);
    }
  }

  // `use` is of the service's pool, or of that one's fallback.
  void check_port_for(const ServiceEntry& service, Use& use) {
    if (use.service == nullptr) {
      use.service = &service;
      if (service.port != PortRange(0) && backend_port_of(service) == 0) {
        check_probe_port(service, use);
      }
      return;
    }
    const bool has_no_port = service.port == PortRange(0) || use.service->port == PortRange(0);
    if (use.different_ports || has_no_port || backend_port_of(service) == backend_port_of(*use.service)) {
      return;
    }
    use.different_ports = true;  // said once
    check_probe_port(service, use);
  }

  // Where the pool's services send to no one port, its probe has to name one.
  void check_probe_port(const ServiceEntry& service, const Use& use) {
    const auto i = static_cast<size_t>(use.pool - config_.pools.data());
    const std::string why =
        use.service == &service
            ? fmt::format("service {} uses the pool with port {}", service.name, service.port.to_string())
            : fmt::format("services {} and {} use the pool with different ports", use.service->name,
                          service.name);
    const auto check = [&](const ProbeConfig& probe, Mark mark, const std::string& where) {
      if (has_type(kProbesWithPort, probe.type) && probe.port == 0) {
        report(mark, fmt::format("pool {}: {}", use.pool->name, where), "expected a port: " + why);
      }
    };
    check(use.pool->health, marks_.pools[i].health.self(), "health");
    for (size_t b = 0; b < use.pool->backends.size(); ++b) {
      const BackendConfig& backend = use.pool->backends[b];
      if (backend.health) {
        check(*backend.health, marks_.pools[i].backends[b].health.self(),
              fmt::format("backend {}: health", backend.name));
      }
    }
  }

  // What the service asks of its pool's backends.
  void check_pool_for(const ServiceEntry& service, const ServiceMarks& marks, const PoolConfig& pool,
                      const std::string& context) {
    if (service.forward == ForwardMode::kNat) {
      for (const BackendConfig& backend : pool.backends) {
        if (backend.address.is_v4() != service.address.is_v4()) {
          report(marks.forward, context + ": forward",
                 fmt::format("nat does not translate between IPv4 and IPv6: backend {} is {}", backend.name,
                             backend.address.to_string()));
          break;
        }
      }
    }
    if (pool.source.type != SourceType::kStatic) {
      return;
    }
    for (const QuicLbConfig& config : service.options.quic) {
      const auto names = [&config](const BackendConfig& backend) {
        return std::any_of(backend.server_ids.begin(), backend.server_ids.end(),
                           [&](const std::string& id) { return id.size() == config.server_id_length; });
      };
      if (std::none_of(pool.backends.begin(), pool.backends.end(), names)) {
        report(marks.quic, context + ": quic",
               fmt::format("no backend of pool {} has a server id of {} octets, as configuration {} needs",
                           pool.name, config.server_id_length, config.id));
      }
    }
  }

  const ServiceConfig& config_;
  const ServiceConfigMarks& marks_;
  yaml::Problems& problems_;
  OwnProbes own_probes_;
  uint64_t slots_ = 0;                         // of the pools so far
  std::unordered_map<std::string, Use> uses_;  // of every pool
  std::map<IpAddress, Owner> backends_;        // of all pools, the first that has it
  std::unordered_map<std::string, bool> service_names_;
  std::map<std::tuple<IpPrefix, Protocol, uint16_t>, const ServiceEntry*> endpoints_;  // of one port
  std::map<std::pair<IpPrefix, Protocol>, std::vector<const ServiceEntry*>> matches_;  // of more
  std::map<IpPrefix, std::pair<bool, std::string>> pings_;  // what the first service of an address says
};

}  // namespace

void validate(const ServiceConfig& config, const ServiceConfigMarks& marks, yaml::Problems& problems) {
  Validator(config, marks, problems).run();
}

Result<void> validate(const ServiceConfig& config) {
  ServiceConfigMarks marks;
  for (const PoolConfig& pool : config.pools) {
    marks.pools.emplace_back().backends.resize(pool.backends.size());
  }
  marks.services.resize(config.services.size());
  yaml::Problems problems("");
  validate(config, marks, problems);
  if (!problems.empty()) {
    return fail(ErrorKind::kInvalid, problems.list().front().message);
  }
  return {};
}

}  // namespace maglb
