#include "lib/base/siphash.h"

#include <sys/random.h>

#include <bit>

#include "lib/base/byte_order.h"
#include "lib/base/check.h"

namespace maglb {
namespace {

struct State {
  uint64_t v0, v1, v2, v3;

  void round() {
    v0 += v1;
    v1 = std::rotl(v1, 13) ^ v0;
    v0 = std::rotl(v0, 32);
    v2 += v3;
    v3 = std::rotl(v3, 16) ^ v2;
    v0 += v3;
    v3 = std::rotl(v3, 21) ^ v0;
    v2 += v1;
    v1 = std::rotl(v1, 17) ^ v2;
    v2 = std::rotl(v2, 32);
  }

  void absorb(uint64_t word) {
    v3 ^= word;
    round();
    round();
    v0 ^= word;
  }
};

}  // namespace

SipKey SipKey::random() {
  SipKey key;
  check(getrandom(&key, sizeof key, 0) == sizeof key, "the kernel gives random bytes");
  return key;
}

uint64_t siphash24(const SipKey& key, std::span<const uint8_t> message) {
  State s{key.k0 ^ 0x736f6d6570736575, key.k1 ^ 0x646f72616e646f6d, key.k0 ^ 0x6c7967656e657261,
          key.k1 ^ 0x7465646279746573};
  const size_t whole = message.size() & ~size_t{7};
  for (size_t i = 0; i < whole; i += 8) {
    s.absorb(load_le64(message.data() + i));
  }
  uint64_t last = uint64_t{message.size()} << 56;
  for (size_t i = whole; i < message.size(); ++i) {
    last |= uint64_t{message[i]} << (8 * (i - whole));
  }
  s.absorb(last);
  s.v2 ^= 0xff;
  for (int i = 0; i < 4; ++i) {
    s.round();
  }
  return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

}  // namespace maglb
