#include "dataplane/line_memory.h"

#include <algorithm>

namespace maglb {

void* LineMemory::do_allocate(size_t bytes, size_t alignment) {
  const size_t size = whole_lines(std::max<size_t>(bytes, 1));
  void* memory = from_->allocate(size, std::max(alignment, kLine));
  ranges_.emplace_back(static_cast<const std::byte*>(memory), size);
  return memory;
}

void LineMemory::do_deallocate(void* memory, size_t bytes, size_t alignment) {
  std::erase_if(ranges_, [&](const Range& range) { return range.data() == memory; });
  from_->deallocate(memory, whole_lines(std::max<size_t>(bytes, 1)), std::max(alignment, kLine));
}

}  // namespace maglb
