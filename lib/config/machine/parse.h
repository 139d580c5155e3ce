// dataplane.yaml -> MachineConfig. The grammar:
//
//   cores: {main: N, workers: [N, ...]}                              required
//   tunnel_source: {ipv4: ADDRESS, ipv6: ADDRESS}
//   ports: [{name, device, mtu: 576..9600, buffers: N, next_hop_mac}]   required; name and device too
//   memory: {hugepages: on|off, size: 512M}
//   flow_table: {entries: N}                                         per worker
//   limits: {services: N, pools: N, backends: N}
//   version: 1                                                       may be left out
//
// All problems of a file are reported at once, each at the value that it is about.
#pragma once

#include <string>
#include <string_view>

#include "lib/config/machine/model.h"
#include "lib/yaml/problems.h"

namespace maglb {

// `file` is the name for messages.
yaml::Checked<MachineConfig> parse_machine_config(std::string_view text, const std::string& file);

// Reads the file and parses it.
yaml::Checked<MachineConfig> load_machine_config(const std::string& path);

}  // namespace maglb
