// Prometheus' file_sd: a list of groups, {targets: ["10.0.1.11:80", ...], labels: {...}}, as JSON or YAML.
// Pure.
//
// A target is an address, with a port or without. The port is checked and otherwise ignored: maglb sends to
// the port of the service. A name in a target is refused: who looks names up is a source of type dns. Of the
// labels `weight` (0..10000) and `max_connections` (1..1000000000) are used, for all targets of the group.
// Whatever is wrong with one of them is wrong with the file.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "controlplane/discovery/member_source.h"
#include "lib/base/error.h"
#include "lib/net/address.h"

namespace maglb {

// The address of "10.0.1.11", "10.0.1.11:80", "2001:db8::b", "[2001:db8::b]" or "[2001:db8::b]:80".
Result<IpAddress> parse_target(std::string_view text);

// `path` names the file in messages, and tells YAML (.yml, .yaml) from JSON (all others). A member whose
// group has no weight gets `weight`.
Result<Members> parse_file_sd(std::string_view text, const std::string& path, uint32_t weight);

}  // namespace maglb
