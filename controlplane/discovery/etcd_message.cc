#include "controlplane/discovery/etcd_message.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "controlplane/discovery/file_sd.h"
#include "controlplane/discovery/member_list.h"
#include "lib/base/name.h"
#include "lib/yaml/text.h"

namespace maglb::etcd {
namespace {

using nlohmann::json;

constexpr size_t kShownComplaints = 5;

std::string to_base64(std::string_view text) {
  std::string out(4 * ((text.size() + 2) / 3) + 1, '\0');
  const int size =
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                      reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
  out.resize(static_cast<size_t>(size));
  return out;
}

std::optional<std::string> from_base64(const std::string& text) {
  if (text.size() % 4 != 0 || text.size() > kMaxSourceBytes) {
    return std::nullopt;
  }
  std::string out(text.size() / 4 * 3 + 1, '\0');
  const int size =
      EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                      reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
  const size_t padding = text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0;
  if (size < 0 || static_cast<size_t>(size) < padding) {
    return std::nullopt;
  }
  out.resize(static_cast<size_t>(size) - padding);
  return out;
}

// The first key behind all that begin with the prefix.
std::string end_of(std::string prefix) {
  while (!prefix.empty()) {
    if (static_cast<unsigned char>(prefix.back()) != 0xff) {
      prefix.back() = static_cast<char>(prefix.back() + 1);
      return prefix;
    }
    prefix.pop_back();
  }
  return std::string(1, '\0');  // to the end of all keys
}

tl::unexpected<Error> strange(std::string_view body) {
  return fail(ErrorKind::kInvalid, "no answer of etcd's v3 gateway: " + yaml::quote(body.substr(0, 200)));
}

// A field, or null.
const json& field(const json& object, const char* name) {
  static const json kNull;
  if (!object.is_object()) {
    return kNull;
  }
  const auto found = object.find(name);
  return found == object.end() ? kNull : *found;
}

std::string text_of(const json& value) {
  return value.is_string() ? value.get<std::string>() : std::string();
}

int64_t revision_of(const json& value) {
  const auto number = yaml::parse_integer(text_of(value));
  return number && *number <= INT64_MAX ? static_cast<int64_t>(*number) : 0;
}

constexpr size_t kMostErrorText = 500;

// Etcd's own error, on HTTP statuses of all kinds.
std::optional<Error> error_in(const json& document) {
  const json& error = field(document, "error");
  if (error.is_null()) {
    return std::nullopt;
  }
  std::string text = text_of(error.is_object() ? field(error, "message") : error).substr(0, kMostErrorText);
  // It goes to logs and terminals.
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c < ' ' || c == 0x7f; }, ' ');
  return Error{ErrorKind::kUnavailable, "etcd says: " + (text.empty() ? "an error without a text" : text)};
}

std::optional<std::pair<std::string, std::string>> pair_of(const json& object) {
  auto key = from_base64(text_of(field(object, "key")));
  auto value = from_base64(text_of(field(object, "value")));
  if (!key || key->empty() || !value) {
    return std::nullopt;
  }
  return std::pair(std::move(*key), std::move(*value));
}

Result<json> parse(std::string_view body) {
  json document = json::parse(body, nullptr, false);
  if (!document.is_object()) {
    return strange(body);
  }
  if (auto error = error_in(document)) {
    return tl::unexpected<Error>(std::move(*error));
  }
  return document;
}

bool read_number(const json& object, const char* name, uint64_t low, uint64_t high, uint32_t& out) {
  const json& value = field(object, name);
  if (value.is_null()) {
    return true;
  }
  if (!value.is_number_unsigned() || value.get<uint64_t>() < low || value.get<uint64_t>() > high) {
    return false;
  }
  out = value.get<uint32_t>();
  return true;
}

Result<void> read_value(std::string_view value, BackendConfig& member) {
  std::string address(value);
  if (value.starts_with('{')) {
    const json object = json::parse(value, nullptr, false);
    address = text_of(field(object, "address"));
    if (!read_number(object, "weight", 0, kMaxWeight, member.weight)) {
      return fail(ErrorKind::kInvalid, fmt::format("expected a weight in 0..{}", kMaxWeight));
    }
    if (!read_number(object, "max_connections", 1, kMaxConnections, member.max_connections)) {
      return fail(ErrorKind::kInvalid, fmt::format("expected max_connections in 1..{}", kMaxConnections));
    }
  }
  const auto parsed = parse_target(address);
  if (!parsed) {
    return fail(ErrorKind::kInvalid, R"(expected an address, or {"address": "10.0.1.11", "weight": 100})");
  }
  member.address = *parsed;
  return {};
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  const size_t first = text.find_first_not_of(kBlank);
  return first == std::string_view::npos ? std::string_view()
                                         : text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

}  // namespace

std::string range_request(std::string_view prefix, uint64_t limit) {
  const json body = {{"key", to_base64(prefix)},
                     {"range_end", to_base64(end_of(std::string(prefix)))},
                     {"limit", std::to_string(limit)}};
  return body.dump();
}

std::string watch_request(std::string_view prefix, int64_t start_revision) {
  const json create = {{"key", to_base64(prefix)},
                       {"range_end", to_base64(end_of(std::string(prefix)))},
                       {"start_revision", std::to_string(start_revision)}};
  return json{{"create_request", create}}.dump();
}

Result<Range> read_range(std::string_view body) {
  const Result<json> document = parse(body);
  if (!document) {
    return tl::unexpected<Error>(document.error());
  }
  Range range;
  range.revision = revision_of(field(field(*document, "header"), "revision"));
  if (range.revision == 0) {
    return strange(body);
  }
  if (field(*document, "more") == json(true)) {
    return fail(ErrorKind::kInvalid, fmt::format("more than {} keys", kMaxPoolBackends));
  }
  for (const json& object : field(*document, "kvs")) {
    auto pair = pair_of(object);
    if (!pair) {
      return strange(body);
    }
    range.pairs.insert(std::move(*pair));
  }
  return range;
}

Result<Watched> read_watched(std::string_view line) {
  const Result<json> document = parse(line);
  if (!document) {
    return tl::unexpected<Error>(document.error());
  }
  const json& result = field(*document, "result");
  if (!result.is_object()) {
    return strange(line);
  }
  Watched watched;
  watched.revision = revision_of(field(field(result, "header"), "revision"));
  watched.ended = field(result, "canceled") == json(true);
  watched.why = text_of(field(result, "cancel_reason"));
  for (const json& event : field(result, "events")) {
    auto pair = pair_of(field(event, "kv"));
    if (!pair) {
      return strange(line);
    }
    watched.changes.push_back(
        {text_of(field(event, "type")) == "DELETE", std::move(pair->first), std::move(pair->second)});
  }
  return watched;
}

Result<BackendConfig> member_of(std::string_view key, std::string_view value, uint32_t weight) {
  BackendConfig member;
  member.weight = weight;
  member.name = key.substr(key.rfind('/') + 1);  // npos + 1 is 0
  if (!is_name(member.name)) {
    return fail(ErrorKind::kInvalid, fmt::format("its last part is no name of {}", kNameRule));
  }
  return read_value(trimmed(value), member).map([&] { return member; });
}

Result<Found> members_of(const Pairs& pairs, uint32_t weight) {
  MemberList list;
  std::set<std::string> names;
  std::vector<std::string> complaints;
  for (const auto& [key, value] : pairs) {
    Result<BackendConfig> member = member_of(key, value, weight);
    if (member && names.insert(member->name).second) {
      list.add(std::move(*member));
      continue;
    }
    complaints.push_back(fmt::format("key {}: {}", yaml::quote(key),
                                     member ? "another key has this name" : member.error().message));
  }
  Found found;
  if (complaints.size() > kShownComplaints) {
    const size_t more = complaints.size() - kShownComplaints;
    complaints.resize(kShownComplaints);
    complaints.push_back(fmt::format("and {} more", more));
  }
  found.complaint = fmt::format("{}", fmt::join(complaints, "; "));
  return list.take().map([&](Members members) {
    found.members = std::move(members);
    return found;
  });
}

}  // namespace maglb::etcd
