#include "lib/base/isa.h"

#include <cpuid.h>

#include <string>

namespace maglb {
namespace {

// CPUID leaf 7, ECX bit 9. clang 14 does not know the name of it.
bool cpu_has_vaes() {
  unsigned eax = 0;
  unsigned ebx = 0;
  unsigned ecx = 0;
  unsigned edx = 0;
  return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0 && (ecx >> 9 & 1) != 0;
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
                        __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("aes");
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
