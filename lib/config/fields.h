// Values that both configuration files have: addresses and names.
#pragma once

#include <string>

#include "lib/base/name.h"
#include "lib/net/address.h"
#include "lib/yaml/reader.h"

namespace maglb {

// As the reading functions of yaml::Field: true when the result was written.
bool read_name(const yaml::Field& field, std::string& out);
bool read_address(const yaml::Field& field, IpAddress& out);
bool read_mac(const yaml::Field& field, MacAddress& out);

}  // namespace maglb
