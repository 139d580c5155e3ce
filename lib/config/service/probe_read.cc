#include "lib/config/service/probe_read.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/base/hex.h"
#include "lib/config/service/probe_keys.h"
#include "lib/config/service/text_values.h"
#include "lib/yaml/text.h"

namespace maglb {
namespace {

using yaml::Field;
using yaml::MapReader;
using yaml::Mark;
using yaml::Node;
using yaml::Word;

constexpr Word<ProbeType> kProbeTypes[] = {{"none", ProbeType::kNone},   {"tcp", ProbeType::kTcp},
                                           {"http", ProbeType::kHttp},   {"https", ProbeType::kHttps},
                                           {"http2", ProbeType::kHttp2}, {"grpc", ProbeType::kGrpc},
                                           {"dns", ProbeType::kDns},     {"udp", ProbeType::kUdp},
                                           {"icmp", ProbeType::kIcmp},   {"exec", ProbeType::kExec}};
constexpr Word<ProbeVia> kVia[] = {{"direct", ProbeVia::kDirect}, {"tunnel", ProbeVia::kTunnel}};
constexpr uint64_t kMaxPort = 65535;

// "200" or "200-399".
void read_status_range(const Field& field, std::vector<StatusRange>& ranges) {
  if (!field.scalar("an HTTP status")) {
    return;
  }
  const std::string_view text = field.node().text;
  const size_t dash = text.find('-');
  const auto low = yaml::parse_integer(text.substr(0, dash));
  const auto high = dash == std::string_view::npos ? low : yaml::parse_integer(text.substr(dash + 1));
  if (!low || !high || *low < 100 || *high > 599 || *low > *high) {
    field.problem(
        fmt::format("expected an HTTP status or a range like 200-399, not {}", yaml::describe(field.node())));
    return;
  }
  ranges.push_back({static_cast<uint16_t>(*low), static_cast<uint16_t>(*high)});
}

void read_status(const Field& field, ProbeConfig& probe) {
  std::vector<StatusRange> ranges;
  if (!field.node().is_sequence()) {
    read_status_range(field, ranges);
  } else if (field.node().items.empty() || field.node().items.size() > kMaxStatusRanges) {
    field.problem(fmt::format("expected 1..{} statuses or ranges", kMaxStatusRanges));
  } else {
    for (const Node& node : field.node().items) {
      read_status_range(Field(&node, node.mark, field.context(), field.problems()), ranges);
    }
  }
  if (!ranges.empty()) {
    probe.status = std::move(ranges);
  }
}

void read_tls(const Field& field, ProbeConfig& probe, FieldMarks& marks) {
  MapReader map(field.node(), field.context(), field.problems());
  const auto take = [&](std::string_view key, std::string_view path) {
    Field value = map.optional(key);
    marks.set(path, value.mark());
    return value;
  };
  const Field enabled = take("enabled", "tls.enabled");
  const Field verify = take("verify", "tls.verify");
  const Field server_name = take("server_name", "tls.server_name");
  const Field ca_file = take("ca_file", "tls.ca_file");
  const Field pin = take("pin", "tls.pin");
  map.finish();
  if (probe.type == ProbeType::kHttps && enabled.present()) {
    enabled.problem("has a meaning with type grpc only: https is always inside TLS");
  } else {
    enabled.boolean(probe.tls.enabled);
  }
  if (!probe.tls.enabled) {
    probe.tls = {};
    for (const Field* other : {&verify, &server_name, &ca_file, &pin}) {
      if (other->present()) {
        other->problem("has a meaning with enabled: on only");
      }
    }
    return;
  }
  verify.boolean(probe.tls.verify);
  read_text(server_name, probe.tls.server_name);
  read_text(ca_file, probe.tls.ca_file);
  read_text(pin, probe.tls.pin);
}

void read_dns(const Field& field, ProbeConfig& probe, FieldMarks& marks) {
  MapReader map(field.node(), field.context(), field.problems());
  const auto take = [&](std::string_view key, std::string_view path) {
    Field value = map.optional(key);
    marks.set(path, value.mark());
    return value;
  };
  take("name", "dns.name").string(probe.dns.name);
  take("type", "dns.type").string(probe.dns.type);
  read_text(take("expect", "dns.expect"), probe.dns.expect);
  take("tcp", "dns.tcp").boolean(probe.dns.over_tcp);
  map.finish();
}

// Text of a datagram: in quotes, so that nobody wonders whether 10 is two characters or a number.
void read_quoted(const Field& field, std::string& out) {
  if (!field.node().is_scalar() || !field.node().quoted) {
    field.problem(fmt::format("expected text in quotes, not {}", yaml::describe(field.node())));
    return;
  }
  out = field.node().text;
}

void read_octets(const Field& field, std::string& out) {
  const auto octets = field.node().is_scalar() ? parse_hex(field.node().text) : std::nullopt;
  if (!octets) {
    field.problem(
        fmt::format("expected octets in hexadecimal, two digits each, not {}", yaml::describe(field.node())));
    return;
  }
  out = *octets;
}

void read_command(const Field& field, ProbeConfig& probe) {
  std::vector<std::string> command;
  for (const Node& node : field.list()) {
    std::string word;
    if (!read_text(Field(&node, node.mark, field.context(), field.problems()), word)) {
      return;
    }
    command.push_back(std::move(word));
  }
  if (field.node().is_sequence()) {
    probe.command = std::move(command);
  }
}

void read_http_field(std::string_view key, const Field& field, ProbeConfig& probe) {
  if (key == "path") {
    field.string(probe.path);
  } else if (key == "host") {
    read_text(field, probe.host);
  } else if (key == "method") {
    field.string(probe.method);
  } else if (key == "status") {
    read_status(field, probe);
  } else if (key == "body") {
    read_text(field, probe.body);
  } else if (key == "http_version") {
    field.integer(1, 2, probe.http_version);
  } else if (key == "grpc_service") {
    read_text(field, probe.grpc_service);
  }
}

void read_datagram_field(std::string_view key, const Field& field, ProbeConfig& probe) {
  if (key == "send") {
    read_quoted(field, probe.send);
  } else if (key == "expect") {
    read_quoted(field, probe.expect);
  } else if (key == "send_hex") {
    read_octets(field, probe.send);
  } else if (key == "expect_hex") {
    read_octets(field, probe.expect);
  }
}

void read_time_field(std::string_view key, const Field& field, ProbeConfig& probe) {
  if (key == "interval") {
    field.duration(kMinProbeInterval, kMaxProbeInterval, probe.interval);
  } else if (key == "fast_interval") {
    field.duration(Duration{}, kMaxProbeInterval, probe.fast_interval);
  } else if (key == "timeout") {
    field.duration(kMinProbeTimeout, kMaxProbeInterval, probe.timeout);
  } else if (key == "cool_down") {
    field.duration(Duration{}, kMaxCoolDown, probe.cool_down);
  } else if (key == "rise") {
    field.integer(1, kMaxProbeCount, probe.rise);
  } else if (key == "fall") {
    field.integer(1, kMaxProbeCount, probe.fall);
  }
}

void read_field(std::string_view key, const Field& field, ProbeConfig& probe, FieldMarks& marks) {
  if (key == "via") {
    field.word<ProbeVia>(kVia, probe.via);
  } else if (key == "port") {
    field.integer(1, kMaxPort, probe.port);
  } else if (key == "tls") {
    read_tls(field, probe, marks);
  } else if (key == "dns") {
    read_dns(field, probe, marks);
  } else if (key == "command") {
    read_command(field, probe);
  } else {
    read_http_field(key, field, probe);
    read_datagram_field(key, field, probe);
    read_time_field(key, field, probe);
  }
}

// REQUIRES: field.present(). A problem of the type leaves the others unread.
void read_fields(const Field& field, const ProbeConfig& base, bool type_required, ProbeConfig& probe,
                 FieldMarks& marks) {
  MapReader map(field.node(), field.context(), field.problems());
  const Field type_field = type_required ? map.required("type") : map.optional("type");
  ProbeType type = base.type;
  const bool type_known = type_field.word<ProbeType>(kProbeTypes, type) || !type_field.present();
  probe = inherit_probe(base, type);

  std::vector<std::pair<std::string_view, Field>> values;
  const auto take = [&](std::string_view key) {
    Field value = map.optional(key);
    if (value.present()) {
      const bool is_hex = key == "send_hex" || key == "expect_hex";
      marks.set(is_hex ? key.substr(0, key.find('_')) : key, value.mark());
      values.emplace_back(key, std::move(value));
    }
  };
  for (const ProbeKey& key : probe_keys()) {
    take(key.key);
    if (key.key == "send") {
      take("send_hex");
    } else if (key.key == "expect") {
      take("expect_hex");
    }
  }
  map.finish();
  const auto said = [&](std::string_view key) {
    return std::any_of(values.begin(), values.end(), [key](const auto& value) { return value.first == key; });
  };
  for (const auto& [key, value] : values) {
    if (!type_known) {
      break;
    }
    const ProbeTypes types = types_with(key);
    if (!has_type(types, type)) {
      value.problem(no_meaning(types, type));
    } else if ((key == "send_hex" && said("send")) || (key == "expect_hex" && said("expect"))) {
      value.problem(fmt::format("expected {} or this, not both", key.substr(0, key.find('_'))));
    } else {
      read_field(key, value, probe, marks);
    }
  }
  // What is not said never makes what is said wrong.
  if (type != ProbeType::kNone && !said("timeout")) {
    probe.timeout = std::min(probe.timeout, probe.interval);
  }
  if (!said("fast_interval")) {
    probe.fast_interval = std::min(probe.fast_interval, probe.interval);
  }
}

}  // namespace

void read_probe(const Field& field, ProbeConfig& probe, FieldMarks& marks) {
  marks.start(field.mark());
  if (field.present()) {
    read_fields(field, ProbeConfig{}, true, probe, marks);
  }
}

std::optional<ProbeConfig> read_own_probe(const Field& field, const ProbeConfig& base, FieldMarks& marks) {
  marks.start(field.mark());
  if (!field.present()) {
    return std::nullopt;
  }
  ProbeConfig probe = base;
  read_fields(field, base, false, probe, marks);
  return probe;
}

}  // namespace maglb
