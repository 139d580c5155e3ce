// What libyaml says of a text that is no YAML, in this program's words: what was expected, and where.
#pragma once

#include <yaml.h>

#include <string_view>

#include "lib/yaml/problems.h"

namespace maglb::yaml {

// REQUIRES: the parser has failed; `text` is what it read.
Problem syntax_fault(const yaml_parser_t& parser, std::string_view text);

}  // namespace maglb::yaml
