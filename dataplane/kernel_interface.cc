#include "dataplane/kernel_interface.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <thread>

namespace maglb {
namespace {

ifreq request_for(const std::string& name) {
  ifreq request{};
  name.copy(request.ifr_name, IFNAMSIZ - 1);
  return request;
}

// An interface that does not tell has one.
void read_queues(int socket, const std::string& name, KernelInterface& interface) {
  ethtool_channels channels{};
  channels.cmd = ETHTOOL_GCHANNELS;
  ifreq request = request_for(name);
  request.ifr_data = reinterpret_cast<char*>(&channels);
  if (ioctl(socket, SIOCETHTOOL, &request) != 0) {
    return;
  }
  interface.combined_queues = channels.max_combined != 0;
  interface.rx_queues =
      std::max<uint32_t>(1, interface.combined_queues ? channels.combined_count : channels.rx_count);
}

bool is_at(int fd, const std::string& path) {
  struct stat open_one;
  struct stat there;
  return fstat(fd, &open_one) == 0 && stat(path.c_str(), &there) == 0 && open_one.st_dev == there.st_dev &&
         open_one.st_ino == there.st_ino;
}

}  // namespace

Result<KernelInterface> look_up_interface(const std::string& name) {
  const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket) {
    return fail_errno("socket", errno);
  }
  KernelInterface interface;
  ifreq request = request_for(name);
  if (ioctl(socket.get(), SIOCGIFINDEX, &request) != 0) {
    return fail(ErrorKind::kNotFound,
                fmt::format("there is no interface {} in this network namespace", name));
  }
  interface.index = request.ifr_ifindex;
  request = request_for(name);
  if (ioctl(socket.get(), SIOCGIFMTU, &request) != 0) {
    return fail_errno("reading the MTU of " + name, errno);
  }
  interface.mtu = static_cast<uint32_t>(request.ifr_mtu);
  request = request_for(name);
  if (ioctl(socket.get(), SIOCGIFFLAGS, &request) == 0) {
    interface.up = (request.ifr_flags & IFF_RUNNING) != 0;
  }
  read_queues(socket.get(), name, interface);
  return interface;
}

Result<InterfaceClaim> InterfaceClaim::take(const std::string& name, int index, Duration patience) {
  struct stat name_space;
  if (stat("/proc/self/ns/net", &name_space) != 0) {
    return fail_errno("/proc/self/ns/net", errno);
  }
  const std::string path = fmt::format("/run/maglb-dataplane-{}-{}.lock", name_space.st_ino, index);
  const Time deadline = monotonic_now() + patience;
  for (;;) {
    UniqueFd file(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!file) {
      return fail_errno(path, errno);
    }
    if (flock(file.get(), LOCK_EX | LOCK_NB) == 0) {
      if (is_at(file.get(), path)) {
        return InterfaceClaim(std::move(file), path);
      }
      continue;  // its owner took it away when it ended
    }
    if (errno != EWOULDBLOCK) {
      return fail_errno(path, errno);
    }
    if (monotonic_now() >= deadline) {
      return fail(ErrorKind::kConflict,
                  fmt::format("interface {} is served by another maglb-dataplane", name));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

InterfaceClaim::~InterfaceClaim() {
  if (file_) {
    unlink(path_.c_str());
  }
}

}  // namespace maglb
