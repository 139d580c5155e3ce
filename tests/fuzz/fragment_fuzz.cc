// Fragments, time and questions in any order: the table does what the plain one does, and gives every
// buffer back once. Input: three bytes of limits, then four bytes a step (little-endian).
#include <cstdio>
#include <cstdlib>

#include "lib/base/byte_order.h"
#include "tests/support/fragment_duel.h"

namespace maglb {
namespace {

void require(const char* difference) {
  if (difference != nullptr) {
    std::fprintf(stderr, "%s\n", difference);
    std::abort();
  }
}

void fuzz(std::span<const uint8_t> data) {
  if (data.size() < 3) {
    return;
  }
  testing::FragmentDuel duel({4u + data[0] % 8, 4u + data[1] % 12, 1u + data[2] % 4, 2u + (data[2] >> 2) % 7,
                              1u + (data[2] >> 5) % 4});
  for (data = data.subspan(3); data.size() >= 4; data = data.subspan(4)) {
    require(duel.step(load_le32(data.data())));
  }
  require(duel.finish());
}

}  // namespace
}  // namespace maglb

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  maglb::fuzz({data, size});
  return 0;
}
