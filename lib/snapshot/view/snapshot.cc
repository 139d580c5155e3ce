#include "lib/snapshot/view/snapshot.h"

namespace maglb {
namespace {

// Addresses of services are the operator's own, so the hash need not withstand an adversary: a packet
// can choose which service it asks for, not which services there are.
uint64_t scramble(uint64_t a, uint64_t b) {
  uint64_t h = (a ^ (b * 0x9e3779b97f4a7c15)) * 0xbf58476d1ce4e5b9;
  h ^= h >> 32;
  h *= 0x94d049bb133111eb;
  return h ^ (h >> 29);
}

}  // namespace

size_t ServiceIndex::Hash::operator()(const IpAddress& address) const {
  return scramble(load_le64(address.bytes.data()), load_le64(address.bytes.data() + 8));
}

size_t ServiceIndex::Hash::operator()(const Key& key) const {
  return scramble((*this)(key.address), load_le32(&key.port));
}

const ServiceView* ServiceIndex::find(const IpAddress& address, Protocol protocol, Be16 port) const {
  const auto found = services_.find(Key{address, port, protocol});
  return found == services_.end() ? nullptr : &found->second;
}

bool ServiceIndex::add(const IpAddress& address, Protocol protocol, Be16 port, const ServiceView& service) {
  addresses_.insert(address);
  return services_.emplace(Key{address, port, protocol}, service).second;
}

}  // namespace maglb
