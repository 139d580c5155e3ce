// Any answer as YAML 1.2 in block style, in ASCII: nothing in it can steer a terminal, and every YAML
// parser reads back what JSON would have said. Pure function.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace maglb::ctl {

// Ends with a newline. A string that any parser might take for something else is quoted; bytes that are
// no UTF-8 become U+FFFD, as in JSON.
std::string render_yaml(const nlohmann::json& answer);

}  // namespace maglb::ctl
