#include "dataplane/hugepages.h"

#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>

namespace maglb {

uint64_t free_hugepage_bytes() {
  uint64_t sum = 0;
  std::error_code problem;
  // One directory a size: hugepages-2048kB/free_hugepages.
  for (const auto& size : std::filesystem::directory_iterator("/sys/kernel/mm/hugepages", problem)) {
    const std::string name = size.path().filename().string();
    const size_t dash = name.find('-');
    uint64_t pages = 0;
    std::ifstream(size.path() / "free_hugepages") >> pages;
    if (dash != std::string::npos) {
      sum += pages * (std::strtoull(name.c_str() + dash + 1, nullptr, 10) << 10);
    }
  }
  return sum;
}

}  // namespace maglb
