// maglb.yaml -> ServiceConfig. The grammar:
//
//   version: 1                                 required
//   seed: 0..2^64-1                            default 0
//   timeouts: TIMEOUTS                         defaults of all services
//   pools:
//     NAME:
//       scheduler: maglev
//       table_size: prime
//       health: {type: none|tcp|http, port, path, host, status, interval, timeout, rise, fall}
//       backends: [{name, address, weight, state: up|drain|down}]      required; name and address too
//   services:
//     - {name, address, protocol: tcp|udp, port, pool,                 these are required
//        forward: ipip|l2, flow: on|off, on_failure: reschedule|keep, timeouts: TIMEOUTS}
//   TIMEOUTS: {opening, established, closing, udp}
//
// Durations are whole numbers of ms, s, m or h. Without `timeout` a probe's is 500ms, or its interval
// if that is shorter. `status` is a number or a range like 200-399.
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
