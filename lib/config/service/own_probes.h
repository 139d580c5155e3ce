// What the probes of backends hold together. Each is a whole copy of the pool's with a few changes: a short
// document could ask for gigabytes.
#pragma once

#include <cstddef>
#include <string>

#include "lib/config/service/model.h"

namespace maglb {

// Bytes of texts and lists, beyond sizeof(ProbeConfig).
size_t bytes_of(const ProbeConfig& probe);

class OwnProbes {
 public:
  // Counts one; a fault is for the first with which there are too many, else empty.
  std::string add(const ProbeConfig& probe);
  // More need not be read: a fault has been said.
  bool full() const { return bytes_ > kMaxOwnProbeBytes; }

 private:
  size_t bytes_ = 0;
};

}  // namespace maglb
