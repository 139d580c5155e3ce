#include "lib/snapshot/view/server_ids.h"

#include <bit>
#include <cstring>

#include "lib/base/byte_order.h"

namespace maglb {

ServerIds::ServerIds(std::span<const std::pair<std::string, uint16_t>> ids, std::pmr::memory_resource* memory)
    : cells_(ids.empty() ? 0 : std::bit_ceil(2 * ids.size()), memory) {
  for (const auto& [octets, place] : ids) {
    ServerId id;
    id.length = static_cast<uint8_t>(octets.size());
    std::memcpy(id.bytes.data(), octets.data(), octets.size());
    size_t at = begin_of(id);
    while (cells_[at].id.length != 0) {
      at = (at + 1) & (cells_.size() - 1);
    }
    cells_[at] = {id, place};
  }
}

size_t ServerIds::begin_of(const ServerId& id) const {
  static_assert(sizeof(ServerId) == 16);
  uint64_t words[2];
  std::memcpy(words, &id, sizeof words);
  const uint64_t mixed = (words[0] ^ (words[1] * 0x9e3779b97f4a7c15)) * 0xbf58476d1ce4e5b9;
  return (mixed >> 32) & (cells_.size() - 1);
}

std::optional<uint16_t> ServerIds::find(const ServerId& id) const {
  if (cells_.empty()) {
    return std::nullopt;
  }
  for (size_t at = begin_of(id); cells_[at].id.length != 0; at = (at + 1) & (cells_.size() - 1)) {
    if (cells_[at].id == id) {
      return cells_[at].place;
    }
  }
  return std::nullopt;
}

}  // namespace maglb
