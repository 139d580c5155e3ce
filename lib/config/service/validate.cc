#include "lib/config/service/validate.h"

#include <fmt/format.h>

#include <array>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>

#include "lib/base/prime.h"
#include "lib/config/fields.h"
#include "lib/yaml/text.h"

namespace maglb {

namespace {

using yaml::Mark;

// What is wrong with an address that packets are sent to, or empty.
std::string_view address_fault(const IpAddress& address) {
  if (!address.is_v4() && !address.is_unspecified()) {
    return "is IPv6, which is not available in this version";
  }
  if (address.is_unspecified() || address.bytes[12] == 0) {
    return "is unspecified (0.0.0.0/8)";
  }
  if (address.is_multicast()) {
    return "is a multicast address";
  }
  if (address.is_loopback()) {
    return "is a loopback address";
  }
  if (address == IpAddress::v4(Be32(0xffffffff))) {
    return "is the broadcast address";
  }
  return address.bytes[12] >= 240 ? "is reserved (240.0.0.0/4)" : std::string_view();
}

bool is_between(Duration low, Duration value, Duration high) {
  return low <= value && value <= high && value % std::chrono::milliseconds(1) == Duration(0);
}

bool is_text(const std::string& text) {
  for (size_t i = 0; i < text.size();) {
    const size_t length = yaml::utf8_length(std::string_view(text).substr(i));
    if (length == 0 || static_cast<unsigned char>(text[i]) < 0x20 || text[i] == 0x7f) {
      return false;
    }
    i += length;
  }
  return true;
}

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
  }

 private:
  struct Use {
    const ServiceEntry* service = nullptr;  // the first that uses the pool
    bool different_ports = false;
  };

  void report(Mark mark, std::string_view context, std::string_view message) {
    problems_.add_if_new(mark, yaml::with_context(context, message));
  }

  void check_name(Mark mark, std::string_view context, const std::string& name) {
    if (!is_name(name)) {
      report(mark, context, fmt::format("expected a name of {}", kNameRule));
    }
  }

  void check_pool(const PoolConfig& pool, const PoolMarks& marks) {
    const std::string context = "pool " + (is_name(pool.name) ? pool.name : yaml::quote(pool.name));
    check_name(marks.name, context, pool.name);
    if (!uses_.try_emplace(pool.name).second) {
      report(marks.name, context, "another pool has this name");
    }
    if (pool.scheduler != Scheduler::kMaglev) {
      report(marks.name, context, "scheduler: expected maglev");
    }
    check_table_size(pool, marks, context);
    slots_ += pool.table_size;
    if (slots_ > kMaxSlots && slots_ - pool.table_size <= kMaxSlots) {  // said once
      report(marks.name, context,
             fmt::format("with this one the tables have {} slots together, at most {} are possible", slots_,
                         kMaxSlots));
    }
    check_probe(pool.health, marks.health, context + ": health");
    std::unordered_map<std::string_view, Mark> names;
    std::map<IpAddress, std::string_view> addresses;
    for (size_t i = 0; i < pool.backends.size(); ++i) {
      check_backend(pool, pool.backends[i], marks.backends[i], context, names, addresses);
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

  void check_probe(const ProbeConfig& probe, const ProbeMarks& marks, const std::string& context) {
    if (probe.type == ProbeType::kNone) {
      ProbeConfig none;
      none.type = ProbeType::kNone;
      if (probe != none) {
        report(marks.self, context, "type none has no other settings");
      }
      return;
    }
    if (!is_between(kMinProbeInterval, probe.interval, kMaxProbeInterval)) {
      report(marks.interval, context + ": interval", "expected whole milliseconds in 10ms..1h");
    }
    if (!is_between(kMinProbeTimeout, probe.timeout, kMaxProbeInterval)) {
      report(marks.timeout, context + ": timeout", "expected whole milliseconds in 1ms..1h");
    } else if (probe.timeout > probe.interval) {
      report(marks.timeout, context + ": timeout",
             fmt::format("{} is longer than the interval of {}: expected a probe to end before the next one",
                         yaml::format_duration(probe.timeout), yaml::format_duration(probe.interval)));
    }
    for (const auto& [count, mark, key] :
         {std::tuple{probe.rise, marks.rise, "rise"}, std::tuple{probe.fall, marks.fall, "fall"}}) {
      if (count < 1 || count > kMaxProbeCount) {
        report(mark, fmt::format("{}: {}", context, key),
               fmt::format("{} is not in 1..{}", count, kMaxProbeCount));
      }
    }
    check_http(probe, marks, context);
  }

  void check_http(const ProbeConfig& probe, const ProbeMarks& marks, const std::string& context) {
    const ProbeConfig defaults;
    if (probe.type != ProbeType::kHttp) {
      if (probe.path != defaults.path || probe.host != defaults.host ||
          probe.status_low != defaults.status_low || probe.status_high != defaults.status_high) {
        report(marks.self, context, "path, host and status have a meaning with type http only");
      }
      return;
    }
    // Both go into the request as they are.
    if (probe.path.empty() || probe.path[0] != '/' || probe.path.find_first_of(" #") != std::string::npos ||
        !is_text(probe.path) || probe.path.size() > 2048) {
      report(marks.path, context + ": path",
             "expected a path that starts with / and has no spaces and no #, at most 2048 bytes");
    }
    if (!is_text(probe.host) || probe.host.find_first_of(" /?#@\\") != std::string::npos ||
        probe.host.size() > 255) {
      report(marks.host, context + ": host", "expected a host name");
    }
    if (probe.status_low < 100 || probe.status_high > 599 || probe.status_low > probe.status_high) {
      report(marks.status, context + ": status", "expected a range within 100-599");
    }
  }

  void check_backend(const PoolConfig& pool, const BackendConfig& backend, const BackendMarks& marks,
                     const std::string& pool_context, std::unordered_map<std::string_view, Mark>& names,
                     std::map<IpAddress, std::string_view>& addresses) {
    const std::string context = fmt::format("{}: backend {}", pool_context,
                                            is_name(backend.name) ? backend.name : yaml::quote(backend.name));
    check_name(marks.name, context, backend.name);
    if (!names.try_emplace(backend.name, marks.name).second) {
      report(marks.name, context, "another backend of the pool has this name");
    }
    if (const std::string_view fault = address_fault(backend.address); !fault.empty()) {
      report(marks.address, context + ": address", fmt::format("{} {}", backend.address.to_string(), fault));
    } else if (const auto [other, added] = addresses.try_emplace(backend.address, backend.name); !added) {
      report(
          marks.address, context + ": address",
          fmt::format("{} is the address of backend {} already", backend.address.to_string(), other->second));
    }
    if (backend.weight > kMaxWeight) {
      report(marks.weight, context + ": weight",
             fmt::format("{} is not in 0..{}", backend.weight, kMaxWeight));
    }
    backends_.try_emplace(backend.address, fmt::format("{}/{}", pool.name, backend.name));
  }

  void check_service(const ServiceEntry& service, const ServiceMarks& marks) {
    const std::string context =
        "service " + (is_name(service.name) ? service.name : yaml::quote(service.name));
    check_name(marks.name, context, service.name);
    if (!service_names_.try_emplace(service.name, true).second) {
      report(marks.name, context, "another service has this name");
    }
    if (service.protocol != Protocol::kTcp && service.protocol != Protocol::kUdp) {
      report(marks.protocol, context + ": protocol", "expected tcp or udp");
    }
    if (service.port == 0) {
      report(marks.port, context + ": port", "0 is not in 1..65535");
    }
    if (service.forward != ForwardMode::kIpip && service.forward != ForwardMode::kL2) {
      report(marks.self, context + ": forward", "expected ipip or l2");
    }
    check_service_address(service, marks, context);
    check_use(service, marks, context);
    if (!service.flow && service.on_failure == OnFailure::kKeep) {
      report(marks.on_failure, context + ": on_failure",
             "expected reschedule: with flow off there are no flows to keep");
    }
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
    const std::string text = service.address.to_string();
    if (const std::string_view fault = address_fault(service.address); !fault.empty()) {
      report(marks.address, where, fmt::format("{} {}", text, fault));
      return;
    }
    if (const auto backend = backends_.find(service.address); backend != backends_.end()) {
      report(marks.address, where, fmt::format("{} is the address of backend {}", text, backend->second));
      return;
    }
    if (service.port == 0) {
      return;
    }
    const auto [other, added] =
        endpoints_.try_emplace(std::tuple{service.address, service.protocol, service.port}, service.name);
    if (!added) {
      report(marks.address, context,
             fmt::format("{} {} port {} is service {} already", text, to_string(service.protocol),
                         service.port, other->second));
    }
  }

  void check_use(const ServiceEntry& service, const ServiceMarks& marks, const std::string& context) {
    const auto found = uses_.find(service.pool);
    if (found == uses_.end()) {
      if (!problems_.full()) {
        report(marks.pool, context + ": pool", unknown_pool(service.pool));
      }
      return;
    }
    Use& use = found->second;
    if (use.service == nullptr) {
      use.service = &service;
      return;
    }
    if (use.different_ports || service.port == 0 || use.service->port == 0 ||
        use.service->port == service.port) {
      return;
    }
    use.different_ports = true;  // said once
    for (size_t i = 0; i < config_.pools.size(); ++i) {
      const ProbeConfig& probe = config_.pools[i].health;
      if (config_.pools[i].name == service.pool && probe.type != ProbeType::kNone && probe.port == 0) {
        report(marks_.pools[i].health.self, fmt::format("pool {}: health", service.pool),
               fmt::format("expected a port: services {} and {} use the pool with different ports",
                           use.service->name, service.name));
      }
    }
  }

  std::string unknown_pool(const std::string& name) const {
    std::vector<std::string_view> known;
    for (const PoolConfig& pool : config_.pools) {
      known.push_back(pool.name);
    }
    const std::string_view meant = yaml::closest(name, known);
    return fmt::format("there is no pool {}{}", yaml::quote(name),
                       meant.empty() ? "" : fmt::format(": did you mean '{}'?", meant));
  }

  const ServiceConfig& config_;
  const ServiceConfigMarks& marks_;
  yaml::Problems& problems_;
  uint64_t slots_ = 0;                         // of the pools so far
  std::unordered_map<std::string, Use> uses_;  // of every pool
  std::map<IpAddress, std::string> backends_;  // of all pools
  std::unordered_map<std::string, bool> service_names_;
  std::map<std::tuple<IpAddress, Protocol, uint16_t>, std::string> endpoints_;
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
