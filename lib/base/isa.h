// Which instructions the packet path uses: one program runs on every x86-64 machine, and takes what the
// CPU at hand has. Chosen once, when a program starts; MAGLB_ISA names one by force.
//
//   baseline  x86-64 with SSE4.2 (DPDK's own minimum); AES rounds in portable code
//   avx2      AVX2, BMI2 and AES instructions: Intel since Haswell, AMD since Zen
//   avx512    AVX-512 (F, BW, DQ, VL) and VAES: Intel since Ice Lake, AMD since Zen 4
//
// All give the same results, bit for bit; a test holds each against the others on the same input.
#pragma once

#include <cstdint>
#include <string_view>

#include "lib/base/error.h"

namespace maglb {

enum class Isa : uint8_t { kBaseline, kAvx2, kAvx512 };
inline constexpr Isa kAllIsas[] = {Isa::kBaseline, Isa::kAvx2, Isa::kAvx512};

std::string_view to_string(Isa isa);
bool cpu_has(Isa isa);
Isa best_isa();

// What MAGLB_ISA says; the best if it is not set (null) or empty. An error for a name that is none, or
// what this CPU has not.
Result<Isa> isa_from(const char* environment);

}  // namespace maglb

// In front of a function that is compiled for one of them. gcc and clang inline what needs fewer
// instructions into what may use more, never the other way round, so that code of a variant cannot end up
// in another. `flatten` has all of the path inlined that is not marked cold.
#define MAGLB_TARGET_AVX2 gnu::target("avx2,aes,bmi,bmi2,lzcnt,movbe,popcnt")
#define MAGLB_TARGET_AVX512 \
  gnu::target("avx2,aes,bmi,bmi2,lzcnt,movbe,popcnt,vaes,avx512f,avx512bw,avx512dq,avx512vl")
