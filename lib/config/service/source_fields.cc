#include "lib/config/service/source_fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "lib/config/service/durations.h"
#include "lib/config/service/text_values.h"
#include "lib/config/service/write.h"
#include "lib/net/address.h"
#include "lib/yaml/text.h"

namespace maglb {
namespace {

using yaml::Field;
using yaml::MapReader;
using yaml::Node;
using yaml::Word;

constexpr Word<SourceType> kTypes[] = {
    {"file", SourceType::kFile}, {"dns", SourceType::kDns}, {"etcd", SourceType::kEtcd}};
constexpr Word<DnsRecords> kRecords[] = {{"a", DnsRecords::kA},
                                         {"aaaa", DnsRecords::kAaaa},
                                         {"both", DnsRecords::kBoth},
                                         {"srv", DnsRecords::kSrv}};

// A key that one type has a use for.
struct SourceKey {
  std::string_view key;
  SourceType type;
  bool (*differs)(const BackendSource& a, const BackendSource& b);
};

template <auto Member>
constexpr SourceKey key_of(std::string_view key, SourceType type) {
  return {key, type, [](const BackendSource& a, const BackendSource& b) { return a.*Member != b.*Member; }};
}

constexpr SourceKey kKeys[] = {
    key_of<&BackendSource::path>("path", SourceType::kFile),
    key_of<&BackendSource::name>("name", SourceType::kDns),
    key_of<&BackendSource::records>("records", SourceType::kDns),
    key_of<&BackendSource::servers>("servers", SourceType::kDns),
    key_of<&BackendSource::refresh>("refresh", SourceType::kDns),
    key_of<&BackendSource::endpoints>("endpoints", SourceType::kEtcd),
    key_of<&BackendSource::prefix>("prefix", SourceType::kEtcd),
    key_of<&BackendSource::ca_file>("ca_file", SourceType::kEtcd),
    key_of<&BackendSource::cert_file>("cert_file", SourceType::kEtcd),
    key_of<&BackendSource::key_file>("key_file", SourceType::kEtcd),
};

std::string only_with(SourceType type) {
  return fmt::format("has a meaning with type {} only", to_string(type));
}

void read_texts(const Field& field, std::vector<std::string>& out) {
  for (const Node& node : field.list()) {
    std::string text;
    if (Field(&node, node.mark, field.context(), field.problems()).string(text)) {
      out.push_back(std::move(text));
    }
  }
}

void read_field(std::string_view key, const Field& field, BackendSource& source) {
  if (key == "path") {
    field.string(source.path);
  } else if (key == "name") {
    field.string(source.name);
  } else if (key == "records") {
    field.word<DnsRecords>(kRecords, source.records);
  } else if (key == "servers") {
    read_texts(field, source.servers);
  } else if (key == "refresh") {
    field.duration(kMinSourceRefresh, kMaxSourceRefresh, source.refresh);
  } else if (key == "endpoints") {
    read_texts(field, source.endpoints);
  } else if (key == "prefix") {
    field.string(source.prefix);
  } else if (key == "ca_file") {
    field.string(source.ca_file);
  } else if (key == "cert_file") {
    field.string(source.cert_file);
  } else if (key == "key_file") {
    field.string(source.key_file);
  }
}

bool is_port(std::string_view text) {
  const auto port = yaml::parse_integer(text);
  return port && *port >= 1 && *port <= 65535;
}

// "10.0.0.53", "10.0.0.53:5353", "2001:db8::53", "[2001:db8::53]:5353".
bool is_server(std::string_view text) {
  if (text.starts_with('[')) {
    const size_t end = text.find("]:");
    return end != std::string_view::npos && is_port(text.substr(end + 2)) &&
           IpAddress::parse(text.substr(1, end - 1)).has_value();
  }
  const size_t colon = text.find(':');
  if (colon != std::string_view::npos && text.find(':', colon + 1) == std::string_view::npos) {
    return is_port(text.substr(colon + 1)) && IpAddress::parse(text.substr(0, colon)).has_value();
  }
  return IpAddress::parse(text).has_value();
}

// "http://HOST:PORT" or "https://HOST:PORT"; the port may be missing.
bool is_endpoint(std::string_view text) {
  if (text.size() > kMaxEndpoint) {
    return false;
  }
  const size_t start = text.starts_with("http://") ? 7 : text.starts_with("https://") ? 8 : 0;
  std::string_view host = text.substr(start);
  if (start == 0 || host.empty()) {
    return false;
  }
  const size_t end = host.rfind(']');
  const size_t colon = host.find(':', end == std::string_view::npos ? 0 : end);
  if (colon != std::string_view::npos) {
    if (!is_port(host.substr(colon + 1))) {
      return false;
    }
    host = host.substr(0, colon);
  }
  if (host.starts_with('[') && host.ends_with(']')) {
    const auto address = IpAddress::parse(host.substr(1, host.size() - 2));
    return address && !address->is_v4();
  }
  return is_host_name(host);
}

void check_dns(const BackendSource& source, const FieldMarks& marks, Faults& faults) {
  faults.add_if(!is_host_name(source.name), marks.of("name"), "name",
                "expected a name of DNS, without a dot at its end");
  faults.add_if(source.servers.size() > kMaxSourceServers ||
                    !std::all_of(source.servers.begin(), source.servers.end(), is_server),
                marks.of("servers"), "servers",
                fmt::format("expected at most {} addresses, like 10.0.0.53 or 10.0.0.53:5353 or "
                            "[2001:db8::53]:5353",
                            kMaxSourceServers));
  faults.add_if(!is_between(kMinSourceRefresh, source.refresh, kMaxSourceRefresh), marks.of("refresh"),
                "refresh", "expected whole milliseconds in 1s..24h");
  faults.add_if(source.records > DnsRecords::kSrv, marks.of("records"), "records",
                "expected a, aaaa, both or srv");
}

void check_etcd(const BackendSource& source, const FieldMarks& marks, Faults& faults) {
  const auto& endpoints = source.endpoints;
  faults.add_if(endpoints.empty() || endpoints.size() > kMaxSourceEndpoints ||
                    !std::all_of(endpoints.begin(), endpoints.end(), is_endpoint),
                marks.of("endpoints"), "endpoints",
                fmt::format("expected 1..{} like http://10.0.0.7:2379, of at most {} characters",
                            kMaxSourceEndpoints, kMaxEndpoint));
  faults.add_if(
      source.prefix.empty() || source.prefix.size() > kMaxSourceKeyPrefix || !is_text(source.prefix),
      marks.of("prefix"), "prefix",
      fmt::format("expected what the keys begin with: 1..{} bytes of text", kMaxSourceKeyPrefix));
  const bool secure = std::any_of(endpoints.begin(), endpoints.end(), [](const std::string& endpoint) {
    return endpoint.starts_with("https://");
  });
  const std::pair<const char*, const std::string*> files[] = {
      {"ca_file", &source.ca_file}, {"cert_file", &source.cert_file}, {"key_file", &source.key_file}};
  for (const auto& [key, file] : files) {
    if (file->empty()) {
      continue;
    }
    faults.add_if(!is_absolute_path(*file), marks.of(key), key,
                  fmt::format("expected a path from /, at most {} bytes", kMaxFilePath));
    faults.add_if(!secure, marks.of(key), key, "has a meaning with an endpoint of https:// only");
  }
  faults.add_if(source.cert_file.empty() != source.key_file.empty(),
                marks.of(source.cert_file.empty() ? "key_file" : "cert_file"),
                source.cert_file.empty() ? "key_file" : "cert_file",
                "expected cert_file and key_file together");
}

std::string write_texts(const std::vector<std::string>& texts) {
  std::vector<std::string> words;
  for (const std::string& text : texts) {
    words.push_back(write_text(text));
  }
  return fmt::format("[{}]", fmt::join(words, ", "));
}

std::string write_value(std::string_view key, const BackendSource& source) {
  if (key == "records") {
    return std::string(to_string(source.records));
  }
  if (key == "servers") {
    return write_texts(source.servers);
  }
  if (key == "endpoints") {
    return write_texts(source.endpoints);
  }
  if (key == "refresh") {
    return yaml::format_duration(source.refresh);
  }
  return write_text(key == "path"        ? source.path
                    : key == "name"      ? source.name
                    : key == "prefix"    ? source.prefix
                    : key == "ca_file"   ? source.ca_file
                    : key == "cert_file" ? source.cert_file
                                         : source.key_file);
}

}  // namespace

void read_source(const Field& field, BackendSource& source, FieldMarks& marks) {
  marks.start(field.mark());
  if (!field.present()) {
    return;
  }
  MapReader map(field.node(), field.context(), field.problems());
  const bool type_known = map.required("type").word<SourceType>(kTypes, source.type);
  for (const SourceKey& key : kKeys) {
    const Field value = map.optional(key.key);
    if (!value.present() || !type_known) {
      continue;
    }
    marks.set(key.key, value.mark());
    if (key.type != source.type) {
      value.problem(only_with(key.type));
    } else {
      read_field(key.key, value, source);
    }
  }
  const Field weight = map.optional("weight");
  marks.set("weight", weight.mark());
  weight.integer(0, kMaxWeight, source.weight);
  map.finish();
}

std::vector<Fault> source_faults(const BackendSource& source, const FieldMarks& marks) {
  Faults faults;
  if (source.type > SourceType::kEtcd) {
    faults.add_if(true, marks.self(), "type", "expected file, dns or etcd");
    return faults.take();
  }
  const BackendSource defaults;
  for (const SourceKey& key : kKeys) {
    faults.add_if(key.type != source.type && key.differs(source, defaults), marks.of(key.key),
                  std::string(key.key), only_with(key.type));
  }
  faults.add_if(source.type == SourceType::kStatic && source.weight != defaults.weight, marks.of("weight"),
                "weight", "has a meaning with a source only");
  faults.add_if(source.weight > kMaxWeight, marks.of("weight"), "weight",
                fmt::format("{} is not in 0..{}", source.weight, kMaxWeight));
  faults.add_if(source.type == SourceType::kFile && !is_absolute_path(source.path), marks.of("path"), "path",
                fmt::format("expected a path from /, at most {} bytes", kMaxFilePath));
  if (source.type == SourceType::kDns) {
    check_dns(source, marks, faults);
  } else if (source.type == SourceType::kEtcd) {
    check_etcd(source, marks, faults);
  }
  return faults.take();
}

std::string write_source(const BackendSource& source) {
  const BackendSource defaults;
  std::string out = fmt::format("{{type: {}", to_string(source.type));
  for (const SourceKey& key : kKeys) {
    if (key.type == source.type && key.differs(source, defaults)) {
      out += fmt::format(", {}: {}", key.key, write_value(key.key, source));
    }
  }
  if (source.weight != defaults.weight) {
    out += fmt::format(", weight: {}", source.weight);
  }
  return out + '}';
}

}  // namespace maglb
