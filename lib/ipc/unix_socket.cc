#include "lib/ipc/unix_socket.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

namespace maglb {
namespace {

Result<sockaddr_un> address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    return fail(ErrorKind::kInvalid, fmt::format("'{}' is not a path of 1..{} bytes for a socket", path,
                                                 sizeof address.sun_path - 1));
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

const sockaddr* generic(const sockaddr_un& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

// The directory of the socket, when only that is missing: /run is empty after a boot.
void make_directory(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash != std::string::npos && slash > 0) {
    mkdir(path.substr(0, slash).c_str(), 0755);
  }
}

// Makes room at `path`: removes a socket file that refuses connections.
Result<void> remove_stale(const std::string& path, const sockaddr_un& address) {
  struct stat status;
  if (lstat(path.c_str(), &status) != 0) {
    return errno == ENOENT ? Result<void>{} : Result<void>{fail_errno(path, errno)};
  }
  if (!S_ISSOCK(status.st_mode)) {
    return fail(ErrorKind::kConflict, path + " exists and is not a socket");
  }
  const UniqueFd probe(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!probe) {
    return fail_errno("socket", errno);
  }
  if (connect(probe.get(), generic(address), sizeof address) == 0 || errno != ECONNREFUSED) {
    return fail(ErrorKind::kConflict, "another program listens on " + path);
  }
  if (unlink(path.c_str()) != 0 && errno != ENOENT) {
    return fail_errno(path, errno);
  }
  return {};
}

}  // namespace

Result<UnixListener> UnixListener::open(const std::string& path, mode_t mode) {
  const auto address = address_of(path);
  if (!address) {
    return tl::unexpected(address.error());
  }
  make_directory(path);  // what is still wrong with it then, bind() says
  if (auto good = remove_stale(path, *address); !good) {
    return tl::unexpected(std::move(good.error()));
  }
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  // Linux gives the file that bind() makes the mode of the socket (less the umask), so that it never
  // exists with other rights; chmod() then adds what the umask took.
  if (!fd || fchmod(fd.get(), mode) != 0 || bind(fd.get(), generic(*address), sizeof *address) != 0) {
    return fail_errno(path, errno);
  }
  UnixListener listener;
  listener.fd_ = std::move(fd);
  struct stat status;
  if (chmod(path.c_str(), mode) != 0 || lstat(path.c_str(), &status) != 0 ||
      ::listen(listener.fd_.get(), 1024) != 0) {
    return fail_errno(path, errno);
  }
  listener.path_ = path;
  listener.device_ = status.st_dev;
  listener.inode_ = status.st_ino;
  return listener;
}

UnixListener::~UnixListener() {
  struct stat status;
  if (fd_ && lstat(path_.c_str(), &status) == 0 && status.st_dev == device_ && status.st_ino == inode_) {
    unlink(path_.c_str());
  }
}

UniqueFd UnixListener::accept() {
  return UniqueFd(accept4(fd_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
}

Result<uid_t> peer_uid(int fd) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) {
    return fail_errno("SO_PEERCRED", errno);
  }
  return credentials.uid;
}

}  // namespace maglb
