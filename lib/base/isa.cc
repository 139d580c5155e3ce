#include "lib/base/isa.h"

#include <cpuid.h>

#include <string>

namespace maglb {
namespace {

// Bits of ECX of a CPUID leaf, for instructions whose names clang 14 does not know.
bool cpuid_ecx_has(unsigned leaf, int bit) {
  unsigned eax = 0;
  unsigned ebx = 0;
  unsigned ecx = 0;
  unsigned edx = 0;
  return __get_cpuid_count(leaf, 0, &eax, &ebx, &ecx, &edx) != 0 && (ecx >> bit & 1) != 0;
}
bool cpu_has_vaes() {
  return cpuid_ecx_has(7, 9);
}
bool cpu_has_movbe() {
  return cpuid_ecx_has(1, 22);
}
bool cpu_has_lzcnt() {
  return cpuid_ecx_has(0x80000001, 5);
}

}  // namespace

std::string_view to_string(Isa isa) {
  switch (isa) {
    case Isa::kBaseline:
      return "baseline";
    case Isa::kAvx2:
      return "avx2";
    case Isa::kAvx512:
      return "avx512";
  }
  return "?";
}

bool cpu_has(Isa isa) {
  const bool has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
                        __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("aes") && cpu_has_movbe() &&
                        cpu_has_lzcnt();
  switch (isa) {
    case Isa::kBaseline:
      return true;
    case Isa::kAvx2:
      return has_avx2;
    case Isa::kAvx512:
      return has_avx2 && cpu_has_vaes() && __builtin_cpu_supports("avx512f") &&
             __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
             __builtin_cpu_supports("avx512vl");
  }
  return false;
}

Isa best_isa() {
  return cpu_has(Isa::kAvx512) ? Isa::kAvx512 : cpu_has(Isa::kAvx2) ? Isa::kAvx2 : Isa::kBaseline;
}

Result<Isa> isa_from(const char* environment) {
  const std::string_view name = environment == nullptr ? "" : environment;
  if (name.empty()) {
    return best_isa();
  }
  for (const Isa isa : kAllIsas) {
    if (to_string(isa) != name) {
      continue;
    }
    return cpu_has(isa) ? Result<Isa>(isa)
                        : fail(ErrorKind::kInvalid,
                               "MAGLB_ISA: this CPU has not the instructions of " + std::string(name));
  }
  return fail(ErrorKind::kInvalid, "MAGLB_ISA: " + std::string(name) + " is none of baseline, avx2, avx512");
}

}  // namespace maglb
