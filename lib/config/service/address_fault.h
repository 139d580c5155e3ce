// Which addresses nobody can be served at, and no backend can have.
#pragma once

#include <string_view>

#include "lib/net/prefix.h"

namespace maglb {

// What is wrong with an address, or with one of a prefix, that packets are sent to; or empty.
std::string_view address_fault(const IpPrefix& addresses);

}  // namespace maglb
