#include "lib/config/service/probe_write.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/base/hex.h"
#include "lib/config/service/probe_keys.h"
#include "lib/config/service/text_values.h"
#include "lib/config/service/write.h"
#include "lib/yaml/text.h"

namespace maglb {
namespace {

// Values of a map in braces.
class FlowMap {
 public:
  void add(std::string_view key, std::string_view value) {
    text_ += fmt::format("{}{}: {}", text_.empty() ? "" : ", ", key, value);
  }
  void add_if(bool is_said, std::string_view key, std::string_view value) {
    if (is_said) {
      add(key, value);
    }
  }
  std::string text() const { return '{' + text_ + '}'; }

 private:
  std::string text_;
};

std::string write_status(const std::vector<StatusRange>& ranges) {
  std::vector<std::string> words;
  for (const StatusRange& range : ranges) {
    words.push_back(range.low == range.high ? fmt::format("{}", range.low)
                                            : fmt::format("{}-{}", range.low, range.high));
  }
  return words.size() == 1 ? words[0] : fmt::format("[{}]", fmt::join(words, ", "));
}

std::string write_tls(const ProbeTls& tls, const ProbeTls& base) {
  if (!tls.enabled) {
    return "{enabled: off}";
  }
  FlowMap map;
  map.add_if(tls.enabled != base.enabled, "enabled", "on");
  map.add_if(tls.verify != base.verify, "verify", tls.verify ? "on" : "off");
  map.add_if(tls.server_name != base.server_name, "server_name", write_text(tls.server_name));
  map.add_if(tls.ca_file != base.ca_file, "ca_file", write_text(tls.ca_file));
  map.add_if(tls.pin != base.pin, "pin", write_text(tls.pin));
  return map.text();
}

std::string write_dns(const ProbeDns& dns, const ProbeDns& base) {
  FlowMap map;
  map.add_if(dns.name != base.name, "name", write_text(dns.name));
  map.add_if(dns.type != base.type, "type", dns.type);
  map.add_if(dns.expect != base.expect, "expect", write_text(dns.expect));
  map.add_if(dns.over_tcp != base.over_tcp, "tcp", dns.over_tcp ? "on" : "off");
  return map.text();
}

// Printable ASCII as text, all else in hexadecimal: the key and the value.
std::pair<std::string, std::string> write_octets(std::string_view key, std::string_view octets) {
  const bool printable =
      std::all_of(octets.begin(), octets.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
  if (!printable) {
    return {fmt::format("{}_hex", key), '"' + to_hex(octets) + '"'};
  }
  std::string quoted = write_text(octets);
  return {std::string(key), quoted[0] == '"' ? quoted : '"' + quoted + '"'};
}

std::string write_command(const std::vector<std::string>& command) {
  std::vector<std::string> words;
  for (const std::string& word : command) {
    words.push_back(write_text(word));
  }
  return fmt::format("[{}]", fmt::join(words, ", "));
}

std::string write_value(std::string_view key, const ProbeConfig& probe, const ProbeConfig& base) {
  if (key == "via") {
    return std::string(to_string(probe.via));
  }
  if (key == "tls") {
    return write_tls(probe.tls, base.tls);
  }
  if (key == "dns") {
    return write_dns(probe.dns, base.dns);
  }
  if (key == "status") {
    return write_status(probe.status);
  }
  if (key == "command") {
    return write_command(probe.command);
  }
  const std::pair<std::string_view, const std::string*> texts[] = {{"path", &probe.path},
                                                                   {"host", &probe.host},
                                                                   {"method", &probe.method},
                                                                   {"body", &probe.body},
                                                                   {"grpc_service", &probe.grpc_service}};
  for (const auto& [name, text] : texts) {
    if (key == name) {
      return write_text(*text);
    }
  }
  const std::pair<std::string_view, Duration> durations[] = {{"interval", probe.interval},
                                                             {"fast_interval", probe.fast_interval},
                                                             {"timeout", probe.timeout},
                                                             {"cool_down", probe.cool_down}};
  for (const auto& [name, duration] : durations) {
    if (key == name) {
      return yaml::format_duration(duration);
    }
  }
  return std::to_string(key == "port"           ? probe.port
                        : key == "http_version" ? probe.http_version
                        : key == "rise"         ? probe.rise
                                                : probe.fall);
}

std::pair<std::string, std::string> write_entry(std::string_view key, const ProbeConfig& probe,
                                                const ProbeConfig& base) {
  if (key == "send" || key == "expect") {
    return write_octets(key, key == "send" ? probe.send : probe.expect);
  }
  return {std::string(key), write_value(key, probe, base)};
}

// A pool's says these also when they are the defaults.
bool is_looked_for(std::string_view key) {
  return key == "path" || key == "interval" || key == "timeout" || key == "rise" || key == "fall";
}

std::string write_fields(const ProbeConfig& probe, const ProbeConfig& base, bool is_pools, FlowMap& out) {
  for (const ProbeKey& key : probe_keys()) {
    const bool is_said = key.differs(probe, base) || (is_pools && is_looked_for(key.key));
    if (!has_type(key.types, probe.type) || !is_said) {
      continue;
    }
    const auto [written_key, value] = write_entry(key.key, probe, base);
    out.add(written_key, value);
  }
  return out.text();
}

}  // namespace

std::string write_probe(const ProbeConfig& probe) {
  FlowMap map;
  map.add("type", to_string(probe.type));
  return write_fields(probe, default_probe(probe.type), true, map);
}

std::string write_own_probe(const ProbeConfig& probe, const ProbeConfig& of_pool) {
  FlowMap map;
  map.add_if(probe.type != of_pool.type, "type", to_string(probe.type));
  return write_fields(probe, inherit_probe(of_pool, probe.type), false, map);
}

std::vector<std::pair<std::string, std::string>> probe_values(const ProbeConfig& probe) {
  std::vector<std::pair<std::string, std::string>> values = {{"type", std::string(to_string(probe.type))}};
  for (const ProbeKey& key : probe_keys()) {
    if (has_type(key.types, probe.type)) {
      values.push_back(write_entry(key.key, probe, default_probe(probe.type)));
    }
  }
  return values;
}

}  // namespace maglb
