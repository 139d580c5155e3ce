// maglb.yaml -> ServiceConfig. The grammar:
//
//   version: 1                                 required
//   seed: 0..2^64-1                            default 0
//   network_failure: hold|act
//   timeouts: TIMEOUTS                         defaults of all services
//   pools:
//     NAME: {scheduler, source_prefix, table_size, health: PROBE, min_healthy, fallback, slow_start,
//            drain_timeout, drain_end, max_connections, passive, source: SOURCE,
//            backends: [BACKEND]}              backends is required where there is no source
//   services:
//     - {name, address, protocol: tcp|udp|any, port, pool,             these are required
//        forward, flow: on|off, on_failure: reschedule|keep, timeouts: TIMEOUTS, OPTIONS}
//   BACKEND: {name, address, weight, state: up|drain|down, server_ids, max_connections, health: PROBE}
//            name and address are required; health says only what is otherwise than the pool's
//   PROBE: probe_keys.h has its keys, and the types that each goes with
//   SOURCE: source_fields.cc has them
//   TIMEOUTS: {opening, established, closing, udp}
//
// docs/configuration.md explains every key. Durations are whole numbers of ms, s, m or h. Without `timeout`
// a probe's is 500ms, or its interval if that is shorter. `status` is a number, a range like 200-399, or a
// list of these.
//
// What parse and load return has been validated (validate.h). All problems of a file are reported at
// once, each at the value that it is about.
#pragma once

#include <string>
#include <string_view>

#include "lib/config/service/model.h"
#include "lib/yaml/problems.h"

namespace maglb {

// `file` is the name for messages.
yaml::Checked<ServiceConfig> parse_service_config(std::string_view text, const std::string& file);

// Reads the file and parses it.
yaml::Checked<ServiceConfig> load_service_config(const std::string& path);

}  // namespace maglb
