// Where the values of a ServiceConfig stand in its file: the model's shape with marks for values, so
// that validation can say where. A config that came from elsewhere has none.
#pragma once

#include <vector>

#include "lib/yaml/problems.h"

namespace maglb {

struct BackendMarks {
  yaml::Mark self, name, address, weight, server_ids;
};

struct ProbeMarks {
  yaml::Mark self, port, path, host, status, interval, timeout, rise, fall;
};

struct PoolMarks {
  yaml::Mark name, table_size;
  ProbeMarks health;
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
