#include "lib/base/isa.h"

#include <gtest/gtest.h>

#include <string>

namespace maglb {
namespace {

TEST(Isa, TheBestIsTakenWhereNoneIsNamed) {
  EXPECT_EQ(isa_from(nullptr).value(), best_isa());
  EXPECT_EQ(isa_from("").value(), best_isa());
  EXPECT_TRUE(cpu_has(best_isa()));
  EXPECT_TRUE(cpu_has(Isa::kBaseline));
}

TEST(Isa, TakesTheOneThatIsNamedIfTheCpuHasIt) {
  for (const Isa isa : kAllIsas) {
    const auto named = isa_from(std::string(to_string(isa)).c_str());
    ASSERT_EQ(named.has_value(), cpu_has(isa)) << to_string(isa);
    if (named) {
      EXPECT_EQ(*named, isa);
    } else {
      EXPECT_NE(named.error().message.find("MAGLB_ISA"), std::string::npos);
    }
  }
}

TEST(Isa, RefusesANameThatIsNone) {
  for (const char* name : {"sse2", "AVX2", "avx2 ", "avx", "avx5122"}) {
    const auto isa = isa_from(name);
    ASSERT_FALSE(isa) << name;
    EXPECT_NE(isa.error().message.find("MAGLB_ISA"), std::string::npos);
    EXPECT_NE(isa.error().message.find(name), std::string::npos);
  }
}

}  // namespace
}  // namespace maglb
