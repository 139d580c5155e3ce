// What hugepages the machine has left.
#pragma once

#include <cstdint>

namespace maglb {

// Of all sizes together; 0 where the kernel does not say.
uint64_t free_hugepage_bytes();

}  // namespace maglb
