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

// `path` is the key with that of its map: "tls.pin".
Field take(MapReader& map, std::string_view path, FieldMarks& marks) {
  Field value = map.optional(path.substr(path.find('.') + 1));
  marks.set(path, value.mark());
  return value;
}

void read_tls(const Field& field, ProbeConfig& probe, FieldMarks& marks) {
  MapReader map(field.node(), field.context(), field.problems());
  const Field enabled = take(map, "tls.enabled", marks);
  const Field verify = take(map, "tls.verify", marks);
  const Field server_name = take(map, "tls.server_name", marks);
  const Field ca_file = take(map, "tls.ca_file", marks);
  const Field pin = take(map, "tls.pin", marks);
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
  take(map, "dns.name", marks).string(probe.dns.name);
  take(map, "dns.type", marks).string(probe.dns.type);
  read_text(take(map, "dns.expect", marks), probe.dns.expect);
  take(map, "dns.tcp", marks).boolean(probe.dns.over_tcp);
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

// What a map says of a probe, by key.
using Values = std::vector<std::pair<std::string_view, Field>>;

bool is_said(const Values& values, std::string_view key) {
  return std::any_of(values.begin(), values.end(), [key](const auto& value) { return value.first == key; });
}

// send_hex and expect_hex are marked as what they are other ways to write.
Values take_values(MapReader& map, FieldMarks& marks) {
  Values values;
  const auto take_as = [&](std::string_view key, std::string_view mark) {
    Field value = map.optional(key);
    if (value.present()) {
      marks.set(mark, value.mark());
      values.emplace_back(key, std::move(value));
    }
  };
  for (const ProbeKey& key : probe_keys()) {
    take_as(key.key, key.key);
    if (key.key == "send") {
      take_as("send_hex", "send");
    } else if (key.key == "expect") {
      take_as("expect_hex", "expect");
    }
  }
  return values;
}

void read_values(const Values& values, ProbeConfig& probe, FieldMarks& marks) {
  for (const auto& [key, value] : values) {
    const ProbeTypes types = types_with(key);
    const std::string_view plain = key.ends_with("_hex") ? key.substr(0, key.find('_')) : "";
    if (!has_type(types, probe.type)) {
      value.problem(no_meaning(types, probe.type));
    } else if (!plain.empty() && is_said(values, plain)) {
      value.problem(fmt::format("expected {} or this, not both", plain));
    } else {
      read_field(key, value, probe, marks);
    }
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
  const Values values = take_values(map, marks);
  map.finish();
  if (type_known) {
    read_values(values, probe, marks);
  }
  // What is not said never makes what is said wrong.
  if (type != ProbeType::kNone && !is_said(values, "timeout")) {
    probe.timeout = std::min(probe.timeout, probe.interval);
  }
  if (!is_said(values, "fast_interval")) {
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

std::optional<ProbeConfig> read_own_probe(const Field& field, const ProbeConfig& base, FieldMarks& marks,
                                          OwnProbes& all) {
  marks.start(field.mark());
  if (!field.present() || all.full()) {
    return std::nullopt;
  }
  ProbeConfig probe = base;
  read_fields(field, base, false, probe, marks);
  if (const std::string fault = all.add(probe); !fault.empty()) {
    field.problem(fault);
    return std::nullopt;
  }
  return probe;
}

}  // namespace maglb
