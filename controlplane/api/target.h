// The target of a request taken apart: segments of the path and parameters of the query, both decoded.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace maglb {

struct Target {
  std::vector<std::string> path;  // "/v1/pools" is {"v1", "pools"}
  std::map<std::string, std::string> query;

  // Nothing when it does not begin with a slash, is badly escaped or names a parameter twice.
  static std::optional<Target> parse(std::string_view text);
};

}  // namespace maglb
