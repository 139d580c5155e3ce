// Where the values of a ServiceConfig stand in its file: the model's shape with marks for values, so
// that validation can say where. A config that came from elsewhere has none.
#pragma once

#include <string_view>
#include <utility>
#include <vector>

#include "lib/yaml/problems.h"

namespace maglb {

// The marks of a map's values by key; of a value that is not there, that of the map.
class FieldMarks {
 public:
  void start(yaml::Mark self) { self_ = self; }
  // REQUIRES: key is a literal, or lives as long.
  void set(std::string_view key, yaml::Mark mark) { marks_.emplace_back(key, mark); }
  yaml::Mark self() const { return self_; }
  yaml::Mark of(std::string_view key) const {
    for (const auto& [known, mark] : marks_) {
      if (known == key) {
        return mark;
      }
    }
    return self_;
  }

 private:
  yaml::Mark self_;
  std::vector<std::pair<std::string_view, yaml::Mark>> marks_;
};

struct BackendMarks {
  yaml::Mark self, name, address, weight, server_ids, max_connections;
  FieldMarks health;
};

struct PoolMarks {
  yaml::Mark name, table_size;
  FieldMarks fields;  // the others of the pool
  FieldMarks health;
  FieldMarks source;
  std::vector<BackendMarks> backends;
};

struct ServiceMarks {
  yaml::Mark self, name, address, protocol, port, pool, forward, flow, on_failure, timeouts;
  yaml::Mark gue_port, udp_checksum, gre_key, backend_port, proxy_protocol, mss, ping, oversize, source_allow,
      source_deny, quic;
};

// REQUIRES where used: as many pools, backends and services as the config has.
struct ServiceConfigMarks {
  std::vector<PoolMarks> pools;
  std::vector<ServiceMarks> services;
};

}  // namespace maglb
