// What is wrong with a part of a configuration: where, at which key, and why.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "lib/yaml/problems.h"

namespace maglb {

struct Fault {
  yaml::Mark mark;
  std::string key;  // under the part's own name, "tls: pin"; empty: the part as a whole
  std::string why;
};

class Faults {
 public:
  void add_if(bool is_wrong, yaml::Mark mark, std::string key, std::string why) {
    if (is_wrong) {
      list_.push_back({mark, std::move(key), std::move(why)});
    }
  }
  std::vector<Fault> take() { return std::move(list_); }

 private:
  std::vector<Fault> list_;
};

}  // namespace maglb
