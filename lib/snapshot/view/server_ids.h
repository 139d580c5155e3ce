// Server ids of QUIC connection ids -> the backends that have them, of one pool.
//
// Layout: open addressing over a power of two of cells, at most half of them taken; a cell is 18 bytes. The
// ids are the operator's own; a client chooses which it asks for, and a miss ends at the first empty cell,
// a few from where it began.
//
// Threads: immutable once made; any number of readers.
#pragma once

#include <cstdint>
#include <memory_resource>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "lib/net/quic.h"

namespace maglb {

class ServerIds {
 public:
  // Octets and the place of the backend. REQUIRES: 1..15 octets each, none twice.
  ServerIds(std::span<const std::pair<std::string, uint16_t>> ids, std::pmr::memory_resource* memory);

  // The place of the backend that has it.
  std::optional<uint16_t> find(const ServerId& id) const;
  bool empty() const { return cells_.empty(); }

 private:
  struct Cell {
    ServerId id;  // length 0: the cell is empty
    uint16_t place = 0;
  };
  size_t begin_of(const ServerId& id) const;

  std::pmr::vector<Cell> cells_;
};

}  // namespace maglb
