// Memory in whole cache lines: what is taken from it shares no line with anything else, whoever has the
// neighbouring memory. It knows what is taken, for figures and tests.
//
// Thread: the main core, which makes workers and takes them down; they only use what they were given.
#pragma once

#include <cstddef>
#include <memory_resource>
#include <span>
#include <vector>

namespace maglb {

inline constexpr size_t kLine = 64;
constexpr size_t whole_lines(size_t bytes) {
  return (bytes + kLine - 1) / kLine * kLine;
}

class LineMemory final : public std::pmr::memory_resource {
 public:
  using Range = std::span<const std::byte>;

  // `from` outlives it, and it what is taken.
  explicit LineMemory(std::pmr::memory_resource* from) : from_(from) {}
  LineMemory(const LineMemory&) = delete;
  LineMemory& operator=(const LineMemory&) = delete;

  const std::vector<Range>& ranges() const { return ranges_; }

 private:
  void* do_allocate(size_t bytes, size_t alignment) override;
  void do_deallocate(void* memory, size_t bytes, size_t alignment) override;
  bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override { return this == &other; }

  std::pmr::memory_resource* from_;
  std::vector<Range> ranges_;
};

}  // namespace maglb
