// Memory as the dataplane has it: hugepages, so that a table's size shows in its cache lines and not in
// the page walks of small pages. Where none are reserved the kernel is asked for transparent ones.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <memory_resource>
#include <new>

namespace maglb::bench {

class HugeMemory final : public std::pmr::memory_resource {
 public:
  static constexpr size_t kPage = size_t{2} << 20;
  static size_t rounded(size_t bytes) { return (bytes + kPage - 1) / kPage * kPage; }

 private:
  void* do_allocate(size_t bytes, size_t) override {
    const size_t size = rounded(bytes);
    void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_POPULATE, -1, 0);
    if (memory != MAP_FAILED) {
      return memory;
    }
    memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
      throw std::bad_alloc();
    }
    madvise(memory, size, MADV_HUGEPAGE);
    return memory;
  }
  void do_deallocate(void* memory, size_t bytes, size_t) override { munmap(memory, rounded(bytes)); }
  bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override { return this == &other; }
};

// Lives as long as the program: what is allocated from it may outlive any one benchmark.
inline std::pmr::memory_resource* huge_memory() {
  static HugeMemory memory;
  return &memory;
}

}  // namespace maglb::bench
