// libbpf's option structs begin with their size, and it refuses one whose padding is not zero. Its own
// macro for that is not C++.
#pragma once

#include <cstring>

namespace maglb {

// In place: a returned copy would not carry its padding along.
template <typename Options>
void init_options(Options& options) {
  std::memset(&options, 0, sizeof options);
  options.sz = sizeof options;
}

}  // namespace maglb
