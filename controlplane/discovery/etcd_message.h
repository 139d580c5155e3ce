// The words of etcd's JSON gateway (v3): requests, and what is taken from the answers. Pure.
//
// Keys and values are base64 and revisions are numbers in quotes; a field that has its default is not sent.
// What comes is hostile: it is parsed as a whole or refused.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/discovery/member_source.h"
#include "lib/base/error.h"

namespace maglb::etcd {

using Pairs = std::map<std::string, std::string>;  // keys to values

struct Range {
  Pairs pairs;
  int64_t revision = 0;  // of the store when it was read
};

struct Change {
  bool is_delete = false;
  std::string key;
  std::string value;
};

// One message of a watch.
struct Watched {
  std::vector<Change> changes;
  int64_t revision = 0;
  bool ended = false;  // by the server; the words why
  std::string why;
};

// Bodies of POST /v3/kv/range and /v3/watch, for all keys that begin with `prefix`.
std::string range_request(std::string_view prefix, uint64_t limit);
std::string watch_request(std::string_view prefix, int64_t start_revision);

// kInvalid: no such answer, or more keys than the limit. kUnavailable: etcd's own error.
Result<Range> read_range(std::string_view body);
Result<Watched> read_watched(std::string_view line);

// A pair of a member: the name is the last part of the key, the value an address ("10.0.1.11", or with a port
// that is ignored) or {"address": "10.0.1.11", "weight": 100, "max_connections": 1000}. Other fields of it
// are passed over.
Result<BackendConfig> member_of(std::string_view key, std::string_view value, uint32_t weight);

// All of them; a pair that is none, or has the name of another, is left out and complained of.
Result<Found> members_of(const Pairs& pairs, uint32_t weight);

}  // namespace maglb::etcd
