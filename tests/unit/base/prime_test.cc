#include "lib/base/prime.h"

#include <gtest/gtest.h>

namespace maglb {
namespace {

TEST(IsPrime, AgreesWithTrialDivision) {
  for (uint32_t n = 0; n < 2000; ++n) {
    bool prime = n > 1;
    for (uint32_t d = 2; d < n; ++d) {
      prime = prime && n % d != 0;
    }
    EXPECT_EQ(is_prime(n), prime) << n;
  }
  EXPECT_TRUE(is_prime(65537));
  EXPECT_TRUE(is_prime(16777213));
  EXPECT_FALSE(is_prime(4294967295u));
}

}  // namespace
}  // namespace maglb
