#include "controlplane/discovery/file_sd.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "controlplane/discovery/member_list.h"
#include "lib/yaml/document.h"
#include "lib/yaml/reader.h"
#include "lib/yaml/text.h"

namespace maglb {
namespace {

using nlohmann::json;

struct Label {
  std::string_view name;
  uint64_t low;
  uint64_t high;
  uint32_t BackendConfig::*member;
};

constexpr Label kLabels[] = {{"weight", 0, kMaxWeight, &BackendConfig::weight},
                             {"max_connections", 1, kMaxConnections, &BackendConfig::max_connections}};

// One group of either format, in the file's own words.
struct Group {
  std::vector<std::string> targets;
  std::vector<std::pair<std::string, std::string>> labels;
};

using Groups = std::vector<Group>;

tl::unexpected<Error> expected(std::string_view what) {
  return fail(ErrorKind::kInvalid, fmt::format("expected {}", what));
}

constexpr int kMaxDepth = 4;
constexpr std::string_view kList = "a list of {targets: [...], labels: {...}}";

// Prometheus has text in labels only; a number is as clear.
std::optional<std::string> text_of(const json& value) {
  if (value.is_string()) {
    return value.get<std::string>();
  }
  return value.is_number_unsigned() ? std::optional(value.dump()) : std::nullopt;
}

Result<Group> group_of(const json& object) {
  Group group;
  const auto targets = object.is_object() ? object.find("targets") : object.end();
  if (!object.is_object() || targets == object.end() || !targets->is_array()) {
    return expected("targets, a list");
  }
  for (const auto& [key, value] : object.items()) {
    if (key != "targets" && key != "labels") {
      return expected("targets and labels, not " + yaml::quote(key));
    }
  }
  for (const json& target : *targets) {
    if (!target.is_string()) {
      return expected("a target in quotes, like \"10.0.1.11:80\"");
    }
    group.targets.push_back(target.get<std::string>());
  }
  const auto labels = object.find("labels");
  if (labels == object.end() || labels->is_null()) {
    return group;
  }
  if (!labels->is_object()) {
    return expected("labels, a map");
  }
  for (const auto& [name, value] : labels->items()) {
    group.labels.emplace_back(name, text_of(value).value_or(""));
  }
  return group;
}

// "web.json:3:14" of the byte where a reader stopped, which counts from 1.
std::string place_of(size_t byte, std::string_view text, const std::string& path) {
  const std::string_view read = text.substr(0, byte == 0 ? 0 : byte - 1);
  const size_t line_begin = read.rfind('\n') + 1;  // 0 where there is none
  return fmt::format("{}:{}:{}", path, 1 + std::count(read.begin(), read.end(), '\n'),
                     1 + read.size() - line_begin);
}

Result<Groups> groups_of_json(std::string_view text, const std::string& path) {
  json document;
  try {
    // What is nested deeper means nothing here, and would cost memory.
    document = json::parse(text, [](int depth, json::parse_event_t, json&) { return depth <= kMaxDepth; });
  } catch (const json::parse_error& error) {
    return fail(ErrorKind::kInvalid,
                fmt::format("{}: not readable as JSON from here on", place_of(error.byte, text, path)));
  } catch (const json::exception&) {
    return fail(ErrorKind::kInvalid, fmt::format("{}: a number in it is out of range", path));
  }
  if (!document.is_array()) {
    return expected(kList);
  }
  Groups groups;
  for (const json& object : document) {
    Result<Group> group = group_of(object);
    if (!group) {
      return tl::unexpected<Error>(
          std::move(group).error().within(fmt::format("group {}", groups.size() + 1)));
    }
    groups.push_back(std::move(*group));
  }
  return groups;
}

Group group_of(const yaml::Node& node, yaml::Problems& problems) {
  Group group;
  yaml::MapReader map(node, "", problems);
  for (const yaml::Node& target : map.required("targets").list()) {
    if (target.is_scalar()) {
      group.targets.push_back(target.text);
    } else {
      problems.add(target.mark, "expected a target like 10.0.1.11:80");
    }
  }
  const yaml::Field labels = map.optional("labels");
  if (labels.present() && labels.node().is_map()) {
    const yaml::Node& values = labels.node();
    for (size_t i = 0; i < values.keys.size(); ++i) {
      group.labels.emplace_back(values.keys[i].text, values.items[i].text);
    }
  } else if (labels.present() && !labels.node().is_null()) {
    labels.problem("expected labels, a map");
  }
  map.finish();
  return group;
}

Result<Groups> groups_of_yaml(std::string_view text, const std::string& path) {
  const auto document = yaml::parse_document(text, path);
  if (!document) {
    return tl::unexpected<Error>(document.error().to_error());
  }
  if (!document->is_sequence()) {
    return expected(kList);
  }
  yaml::Problems problems(path);
  Groups groups;
  for (const yaml::Node& node : document->items) {
    groups.push_back(group_of(node, problems));
  }
  if (!problems.empty()) {
    return tl::unexpected<Error>(problems.to_error());
  }
  return groups;
}

Result<void> take_labels(const Group& group, BackendConfig& member) {
  for (const auto& [name, value] : group.labels) {
    for (const Label& label : kLabels) {
      if (label.name != name) {
        continue;
      }
      const auto number = yaml::parse_integer(value);
      if (!number || *number < label.low || *number > label.high) {
        return fail(ErrorKind::kInvalid, fmt::format("label {}: {} is not in {}..{}", name,
                                                     yaml::quote(value), label.low, label.high));
      }
      member.*label.member = static_cast<uint32_t>(*number);
    }
  }
  return {};
}

Result<void> take_group(const Group& group, uint32_t weight, MemberList& list) {
  BackendConfig member;
  member.weight = weight;
  if (Result<void> taken = take_labels(group, member); !taken) {
    return taken;
  }
  for (const std::string& target : group.targets) {
    const Result<IpAddress> address = parse_target(target);
    if (!address) {
      return tl::unexpected<Error>(address.error());
    }
    member.address = *address;
    member.name = member_name(*address);
    list.add(member);
  }
  return {};
}

bool is_yaml(std::string_view path) {
  return path.ends_with(".yml") || path.ends_with(".yaml");
}

bool is_port(std::string_view text) {
  const auto port = yaml::parse_integer(text);
  return port && *port >= 1 && *port <= 65535;
}

// {address, port} of either family; the port is empty where there is none.
std::optional<std::pair<std::string_view, std::string_view>> split_target(std::string_view text) {
  if (text.starts_with('[')) {
    const size_t end = text.find(']');
    if (end == std::string_view::npos || (end + 1 < text.size() && text[end + 1] != ':')) {
      return std::nullopt;
    }
    return std::pair(text.substr(1, end - 1), text.substr(std::min(end + 1, text.size())));
  }
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos || text.find(':', colon + 1) != std::string_view::npos) {
    return std::pair(text, std::string_view());
  }
  return std::pair(text.substr(0, colon), text.substr(colon));
}

}  // namespace

Result<IpAddress> parse_target(std::string_view text) {
  const auto parts = split_target(text);
  const Result<IpAddress> address = parts ? IpAddress::parse(parts->first) : fail(ErrorKind::kInvalid, "");
  if (!address) {
    return fail(
        ErrorKind::kInvalid,
        fmt::format("target {}: expected an address like 10.0.1.11:80 or [2001:db8::b]:80; names are not "
                    "looked up here, a source of type dns does that",
                    yaml::quote(text)));
  }
  if (!parts->second.empty() && !is_port(parts->second.substr(1))) {
    return fail(ErrorKind::kInvalid,
                fmt::format("target {}: the port is not in 1..65535", yaml::quote(text)));
  }
  return *address;
}

Result<Members> parse_file_sd(std::string_view text, const std::string& path, uint32_t weight) {
  const Result<Groups> groups = is_yaml(path) ? groups_of_yaml(text, path) : groups_of_json(text, path);
  if (!groups) {
    return tl::unexpected<Error>(groups.error());
  }
  MemberList list;
  for (size_t i = 0; i < groups->size(); ++i) {
    if (Result<void> taken = take_group((*groups)[i], weight, list); !taken) {
      return tl::unexpected<Error>(std::move(taken).error().within(fmt::format("group {}", i + 1)));
    }
  }
  return list.take();
}

}  // namespace maglb
