#include "dataplane/kernel_interface.h"

#include <fmt/format.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
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

// An abstract Unix address is of the network namespace, as the interface is, and goes with its owner.
Result<UniqueFd> claim_interface(const std::string& name, Duration patience) {
  UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket) {
    return fail_errno("socket", errno);
  }
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string text = "maglb-dataplane/" + name;
  text.copy(address.sun_path + 1, sizeof address.sun_path - 1);
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + text.size());
  const Time deadline = monotonic_now() + patience;
  while (bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0) {
    if (errno != EADDRINUSE) {
      return fail_errno("claiming interface " + name, errno);
    }
    if (monotonic_now() >= deadline) {
      return fail(ErrorKind::kConflict,
                  fmt::format("interface {} is served by another maglb-dataplane", name));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return socket;
}

}  // namespace maglb
