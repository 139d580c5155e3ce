// The generated messages of maglb.proto (namespace maglb::ipc), without the warnings of generated code.
#pragma once

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#include "lib/ipc/maglb.pb.h"
#pragma GCC diagnostic pop

namespace maglb {

inline constexpr uint32_t kProtocolMajor = 1;
inline constexpr uint32_t kProtocolMinor = 3;

}  // namespace maglb
