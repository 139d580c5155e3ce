// The compiled BPF objects (ELF), embedded at build time.
#pragma once

#include <cstdint>
#include <span>

namespace maglb {

std::span<const uint8_t> steer_object();
std::span<const uint8_t> decap_object();
std::span<const uint8_t> probe_object();

}  // namespace maglb
