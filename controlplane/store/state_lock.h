// One control plane a state directory: an flock on <dir>/lock, which the kernel releases with the
// process, however it ends. The file holds the owner's pid, only for the message to the next one.
#pragma once

#include <filesystem>
#include <utility>

#include "lib/base/error.h"
#include "lib/base/unique_fd.h"

namespace maglb {

class StateLock {
 public:
  // kConflict when another process (or another StateLock here) has it.
  static Result<StateLock> acquire(const std::filesystem::path& state_dir);

 private:
  explicit StateLock(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

}  // namespace maglb
