#include "lib/base/parallel.h"

#include <gtest/gtest.h>

namespace maglb {
namespace {

TEST(Parallel, DoesEachOnce) {
  for (const size_t count : {size_t{0}, size_t{1}, size_t{2}, size_t{1000}}) {
    std::vector<std::atomic<int>> done(count);
    for_each_in_parallel(count, [&done](size_t i) { ++done[i]; });
    for (size_t i = 0; i < count; ++i) {
      EXPECT_EQ(done[i], 1) << i << " of " << count;
    }
  }
}

}  // namespace
}  // namespace maglb
