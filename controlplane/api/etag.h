// Entity tags (RFC 9110, 8.8.3 and 13.1): what a client saw, so that it changes that and nothing newer.
//
// A tag is of the configuration of an object, not of its counters or its health: those change all the time
// and are nobody's update to be lost. It is the same after a restart and on every machine of a fleet.
#pragma once

#include <string>
#include <string_view>

#include "lib/config/service/model.h"

namespace maglb {

std::string document_tag(std::string_view text);
std::string pool_tag(const PoolConfig& pool);  // with its backends
std::string backend_tag(const BackendConfig& backend);

// Whether a header's list, `"a", W/"b"` or `*`, names `tag`. The strong comparison of If-Match never takes a
// weak tag; the weak one of If-None-Match does. What is not such a list names nothing.
bool names_strongly(std::string_view list, std::string_view tag);
bool names_weakly(std::string_view list, std::string_view tag);

}  // namespace maglb
