// libbpf's option structs begin with their size. Its own macro for that is not C++.
#pragma once

#include <cstring>

namespace maglb {

template <typename Options>
Options libbpf_options() {
  Options options;
  // Padding included: libbpf wants what it does not know to be zero.
  std::memset(&options, 0, sizeof options);
  options.sz = sizeof options;
  return options;
}

}  // namespace maglb
