#include "dataplane/memory.h"

#include <rte_malloc.h>

#include <algorithm>
#include <new>

namespace maglb {
namespace {

class HugepageMemory final : public std::pmr::memory_resource {
 public:
  explicit HugepageMemory(int socket) : socket_(socket) {}

 private:
  void* do_allocate(size_t bytes, size_t alignment) override {
    void* memory = rte_malloc_socket("maglb", std::max<size_t>(bytes, 1),
                                     static_cast<unsigned>(std::max<size_t>(alignment, 64)), socket_);
    if (memory == nullptr) {
      throw std::bad_alloc();
    }
    return memory;
  }
  void do_deallocate(void* memory, size_t, size_t) override { rte_free(memory); }
  bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override { return this == &other; }

  int socket_;
};

}  // namespace

std::unique_ptr<std::pmr::memory_resource> hugepage_memory(int socket) {
  return std::make_unique<HugepageMemory>(socket);
}

}  // namespace maglb
