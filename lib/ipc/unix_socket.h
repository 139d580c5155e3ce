// A listening Unix stream socket with the rights it needs from its first moment, in the place of a
// socket file that nobody listens on any more.
#pragma once

#include <sys/types.h>

#include <string>

#include "lib/base/error.h"
#include "lib/base/unique_fd.h"

namespace maglb {

// Non-blocking, close-on-exec; its file is removed with it, if it still is this socket's.
class UnixListener {
 public:
  // Makes the directory of `path` (0755) if only that is missing. kConflict when another program listens at
  // `path` or it is something else than a socket.
  static Result<UnixListener> open(const std::string& path, mode_t mode);

  UnixListener() = default;
  UnixListener(UnixListener&&) = default;
  UnixListener& operator=(UnixListener&&) = default;
  ~UnixListener();

  int fd() const { return fd_.get(); }
  // One waiting connection (non-blocking, close-on-exec), or none.
  UniqueFd accept();

 private:
  UniqueFd fd_;
  std::string path_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

// The peer's user, or nothing if the kernel does not tell.
Result<uid_t> peer_uid(int fd);

}  // namespace maglb
