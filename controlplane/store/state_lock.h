// One control plane a state directory: an flock on <dir>/lock, which the kernel releases with the
// process, however it ends. The file holds the owner's pid, only for the message to the next one.
#pragma once

#include <filesystem>

#include "lib/base/error.h"

namespace maglb {

class StateLock {
 public:
  // kConflict when another process (or another StateLock here) has it.
  static Result<StateLock> acquire(const std::filesystem::path& state_dir);

  StateLock(StateLock&& other) noexcept;
  StateLock& operator=(StateLock&& other) noexcept;
  ~StateLock();

 private:
  explicit StateLock(int fd) : fd_(fd) {}
  int fd_ = -1;
};

}  // namespace maglb
