// Values that both configuration files have: addresses and names.
#pragma once

#include <string>

#include "lib/base/name.h"
#include "lib/net/port_range.h"
#include "lib/net/prefix.h"
#include "lib/yaml/reader.h"

namespace maglb {

// As the reading functions of yaml::Field: true when the result was written.
bool read_name(const yaml::Field& field, std::string& out);
bool read_address(const yaml::Field& field, IpAddress& out);
// A prefix, or an address.
bool read_prefix(const yaml::Field& field, IpPrefix& out);
// "80", "8000-8999", "any".
bool read_port_range(const yaml::Field& field, PortRange& out);
bool read_mac(const yaml::Field& field, MacAddress& out);

}  // namespace maglb
