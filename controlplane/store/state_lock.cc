#include "controlplane/store/state_lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>

namespace maglb {
namespace {

// 0 when the file does not tell: the owner has locked it and not yet written.
long owner_pid(int fd) {
  std::array<char, 32> text{};
  const ssize_t size = pread(fd, text.data(), text.size(), 0);
  long pid = 0;
  if (size > 0) {
    std::from_chars(text.data(), text.data() + size, pid);
  }
  return pid;
}

}  // namespace

Result<StateLock> StateLock::acquire(const std::filesystem::path& state_dir) {
  const std::string path = state_dir / "lock";
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) {
    return fail_errno(path, errno);
  }
  if (flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) {
      return fail_errno(path, errno);
    }
    const long pid = owner_pid(fd.get());
    return fail(ErrorKind::kConflict,
                fmt::format("state directory {} is in use by {}", state_dir.string(),
                            pid > 0 ? fmt::format("process {}", pid) : "another process"));
  }
  // A lock without a pid in it is a lock all the same, so a full disk here does no harm.
  const std::string pid = fmt::format("{}\n", getpid());
  if (ftruncate(fd.get(), 0) == 0) {
    [[maybe_unused]] const ssize_t written = pwrite(fd.get(), pid.data(), pid.size(), 0);
  }
  return StateLock(std::move(fd));
}

}  // namespace maglb
