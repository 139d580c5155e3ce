#include "lib/config/service/diff.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string_view>

#include "lib/base/hex.h"
#include "lib/config/service/probe_write.h"
#include "lib/config/service/source_fields.h"
#include "lib/config/service/write.h"
#include "lib/yaml/text.h"

namespace maglb {
namespace {

// The values of a thing by their paths in it. What is not there has no value.
using Values = std::map<std::string, std::string>;

constexpr size_t kLongestShown = 160;

std::string segment(const std::string& name) {
  return name.find('.') == std::string::npos ? name : '"' + name + '"';
}

std::string on_off(bool on) {
  return on ? "on" : "off";
}

void put_if(bool is_there, Values& values, const std::string& key, std::string value) {
  if (is_there) {
    values.emplace(key, std::move(value));
  }
}

Values values_of(const PoolConfig& pool) {
  Values values = {
      {"scheduler", std::string(to_string(pool.scheduler))},
      {"table_size", std::to_string(pool.table_size)},
      {"min_healthy", to_string(pool.min_healthy)},
      {"slow_start", yaml::format_duration(pool.slow_start)},
      {"drain_timeout", yaml::format_duration(pool.drain_timeout)},
      {"drain_end", std::string(to_string(pool.drain_end))},
  };
  put_if(pool.scheduler == Scheduler::kSourceHash, values, "source_prefix",
         fmt::format("{{ipv4: {}, ipv6: {}}}", pool.source_prefix_v4, pool.source_prefix_v6));
  put_if(!pool.fallback.empty(), values, "fallback", pool.fallback);
  put_if(pool.max_connections != 0, values, "max_connections", std::to_string(pool.max_connections));
  put_if(pool.passive, values, "passive", "on");
  if (pool.source.type != SourceType::kStatic) {
    values.emplace("source", write_source(pool.source));
  }
  for (auto& [key, value] : probe_values(pool.health)) {
    values.emplace("health." + key, std::move(value));
  }
  return values;
}

Values values_of(const BackendConfig& backend, const PoolConfig& pool) {
  Values values = {
      {"address", backend.address.to_string()},
      {"weight", std::to_string(backend.weight)},
      {"state", std::string(to_string(backend.state))},
  };
  put_if(backend.max_connections != 0, values, "max_connections", std::to_string(backend.max_connections));
  if (backend.health) {
    values.emplace("health", write_own_probe(*backend.health, pool.health));
  }
  for (const std::string& id : backend.server_ids) {
    values.emplace("server_ids." + to_hex(id), to_hex(id));
  }
  return values;
}

void put_prefixes(const std::string& key, const std::vector<IpPrefix>& prefixes, Values& values) {
  for (const IpPrefix& prefix : prefixes) {
    const std::string text = prefix.to_string();
    values.emplace(fmt::format("{}.{}", key, segment(text)), text);
  }
}

void put_options(const ServiceOptions& options, Values& values) {
  values.emplace("gue_port", std::to_string(options.gue_port));
  values.emplace("udp_checksum", on_off(options.udp_checksum));
  put_if(options.gre_key.has_value(), values, "gre_key", std::to_string(options.gre_key.value_or(0)));
  put_if(options.backend_port != 0, values, "backend_port", std::to_string(options.backend_port));
  values.emplace("proxy_protocol", options.proxy_protocol ? "v2" : "off");
  put_if(options.mss != 0, values, "mss", std::to_string(options.mss));
  values.emplace("ping", options.forward_ping ? "forward" : "answer");
  values.emplace("oversize", std::string(to_string(options.oversize)));
  put_prefixes("source_allow", options.source_allow, values);
  put_prefixes("source_deny", options.source_deny, values);
  for (const QuicLbConfig& config : options.quic) {
    values.emplace(fmt::format("quic.{}", config.id),
                   fmt::format("{{server_id_length: {}, nonce_length: {}}}", config.server_id_length,
                               config.nonce_length));
  }
}

Values values_of(const ServiceEntry& service) {
  Values values = {
      {"address", service.address.to_short_string()},
      {"protocol", std::string(to_string(service.protocol))},
      {"port", service.port.to_string()},
      {"pool", service.pool},
      {"forward", std::string(to_string(service.forward))},
      {"flow", on_off(service.flow)},
      {"on_failure", std::string(to_string(service.on_failure))},
      {"timeouts.opening", yaml::format_duration(service.timeouts.opening)},
      {"timeouts.established", yaml::format_duration(service.timeouts.established)},
      {"timeouts.closing", yaml::format_duration(service.timeouts.closing)},
      {"timeouts.udp", yaml::format_duration(service.timeouts.udp)},
  };
  put_options(service.options, values);
  return values;
}

// The values of a thing that came or went, those that differ from one of its kind with nothing said.
std::string summary(const Values& values, const Values& defaults) {
  std::string text;
  for (const auto& [key, value] : values) {
    const auto usual = defaults.find(key);
    if (usual == defaults.end() || usual->second != value) {
      text += fmt::format("{}{}: {}", text.empty() ? "" : ", ", key, value);
    }
  }
  return '{' + text + '}';
}

std::string summary(const PoolConfig& pool) {
  Values values = values_of(pool);
  values.emplace("backends", std::to_string(pool.backends.size()));
  return summary(values, values_of(PoolConfig{}));
}

std::string summary(const BackendConfig& backend, const PoolConfig& pool) {
  Values defaults = values_of(BackendConfig{}, pool);
  defaults.erase("weight");  // who adds one looks for it
  return summary(values_of(backend, pool), defaults);
}

std::string summary(const ServiceEntry& service) {
  Values defaults = values_of(ServiceEntry{});
  defaults.erase("protocol");
  defaults.erase("forward");
  return summary(values_of(service), defaults);
}

// Those of `values` that differ; a list is one value.
Values said(const Values& values, const Values& defaults) {
  Values out;
  for (const auto& [key, value] : values) {
    const auto usual = defaults.find(key);
    if (usual != defaults.end() && usual->second == value) {
      continue;
    }
    const bool is_item = key.starts_with("source_allow.") || key.starts_with("source_deny.");
    std::string& text = out[is_item ? key.substr(0, key.find('.')) : key];
    text += (text.empty() ? "" : ", ") + value;
  }
  return out;
}

class Differ {
 public:
  std::vector<ConfigChange> run(const ServiceConfig& before, const ServiceConfig& after) {
    add_values("",
               {{"seed", std::to_string(before.seed)},
                {"network_failure", std::string(to_string(before.network_failure))}},
               {{"seed", std::to_string(after.seed)},
                {"network_failure", std::string(to_string(after.network_failure))}});
    add_named(
        "pools.", before.pools, after.pools, [](const PoolConfig& pool, bool) { return summary(pool); },
        [this](const std::string& path, const PoolConfig& old, const PoolConfig& pool) {
          add_pool(path, old, pool);
        });
    add_named(
        "services.", before.services, after.services,
        [](const ServiceEntry& service, bool) { return summary(service); },
        [this](const std::string& path, const ServiceEntry& old, const ServiceEntry& service) {
          add_values(path, values_of(old), values_of(service));
        });
    std::sort(list_.begin(), list_.end(),
              [](const ConfigChange& a, const ConfigChange& b) { return a.path < b.path; });
    return std::move(list_);
  }

 private:
  void add_pool(const std::string& path, const PoolConfig& before, const PoolConfig& after) {
    add_values(path, values_of(before), values_of(after));
    add_named(
        path + "backends.", before.backends, after.backends,
        [&](const BackendConfig& backend, bool is_new) { return summary(backend, is_new ? after : before); },
        [&](const std::string& where, const BackendConfig& old, const BackendConfig& backend) {
          add_values(where, values_of(old, before), values_of(backend, after));
        });
  }

  void add_values(const std::string& path, const Values& before, const Values& after) {
    for (const auto& [key, value] : before) {
      const auto now = after.find(key);
      if (now == after.end()) {
        list_.push_back({path + key, value, std::nullopt});
      } else if (now->second != value) {
        list_.push_back({path + key, value, now->second});
      }
    }
    for (const auto& [key, value] : after) {
      if (!before.contains(key)) {
        list_.push_back({path + key, std::nullopt, value});
      }
    }
  }

  // `text` is of a thing and whether it is new; `compare` is called for those that are in both.
  template <typename Thing, typename Text, typename Compare>
  void add_named(const std::string& path, const std::vector<Thing>& before, const std::vector<Thing>& after,
                 Text text, Compare compare) {
    std::map<std::string_view, const Thing*> old;
    for (const Thing& thing : before) {
      old.emplace(thing.name, &thing);
    }
    for (const Thing& thing : after) {
      const auto was = old.find(thing.name);
      if (was == old.end()) {
        list_.push_back({path + segment(thing.name), std::nullopt, text(thing, true)});
        continue;
      }
      compare(path + segment(thing.name) + '.', *was->second, thing);
      old.erase(was);
    }
    for (const auto& [name, thing] : old) {
      list_.push_back({path + segment(thing->name), text(*thing, false), std::nullopt});
    }
  }

  std::vector<ConfigChange> list_;
};

// Not cut in the middle of a character.
std::string shortened(const std::string& text) {
  size_t length = kLongestShown;
  if (text.size() <= length) {
    return text;
  }
  while (length > 0 && (static_cast<unsigned char>(text[length]) & 0xc0) == 0x80) {
    --length;
  }
  return text.substr(0, length) + "...";
}

}  // namespace

std::vector<ConfigChange> diff(const ServiceConfig& before, const ServiceConfig& after) {
  return Differ().run(before, after);
}

std::map<std::string, std::string> options_said(const PoolConfig& pool) {
  return said(values_of(pool), values_of(PoolConfig{}));
}

std::map<std::string, std::string> options_said(const ServiceEntry& service) {
  return said(values_of(service), values_of(ServiceEntry{}));
}

std::string describe(const ConfigChange& change) {
  if (!change.before) {
    return fmt::format("+ {}: {}", change.path, shortened(change.after.value_or("")));
  }
  if (!change.after) {
    return fmt::format("- {}: {}", change.path, shortened(*change.before));
  }
  return fmt::format("~ {}: {} -> {}", change.path, shortened(*change.before), shortened(*change.after));
}

}  // namespace maglb
