// Queries of URLs.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace maglb::ctl {

// For a query: everything but letters, digits and -._~ as %XX.
std::string url_escaped(std::string_view text);

// `path` with those parameters that are not empty.
std::string with_query(std::string path,
                       std::initializer_list<std::pair<const char*, std::string_view>> parameters);

}  // namespace maglb::ctl
