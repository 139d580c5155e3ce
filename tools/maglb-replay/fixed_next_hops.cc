#include "tools/maglb-replay/fixed_next_hops.h"

#include <algorithm>

namespace maglb::replay {

MacAddress FixedNextHops::mac_of(const IpAddress& backend, ForwardMode mode) const {
  if (configured_) {
    return *configured_;
  }
  MacAddress mac{{0x02, 0, 0, 0, 0, 1}};
  if (mode == ForwardMode::kL2) {
    std::copy(backend.bytes.begin() + 12, backend.bytes.end(), mac.bytes.begin() + 2);
  }
  return mac;
}

Result<uint32_t> FixedNextHops::acquire(const IpAddress& backend, ForwardMode mode) {
  const auto index = static_cast<uint32_t>(indexes_.size());
  const auto [at, is_new] = indexes_.emplace(std::pair(backend, mode), index);
  if (!is_new) {
    return at->second;
  }
  if (index >= table_.limit()) {
    indexes_.erase(at);
    return fail(ErrorKind::kInvalid, "more backends than limits.backends allows");
  }
  table_.set(index, {mac_of(backend, mode), link_});
  return index;
}

}  // namespace maglb::replay
