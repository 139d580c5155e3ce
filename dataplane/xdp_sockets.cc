#include "dataplane/xdp_sockets.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <fmt/format.h>
#include <sys/socket.h>

#include <cstdlib>
#include <memory>

namespace maglb {

std::set<int> xdp_sockets_of_this_process() {
  std::set<int> sockets;
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(opendir("/proc/self/fd"), closedir);
  while (const dirent* entry = directory ? readdir(directory.get()) : nullptr) {
    const int fd = std::atoi(entry->d_name);
    int domain = 0;
    socklen_t size = sizeof domain;
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_XDP) {
      sockets.insert(fd);
    }
  }
  return sockets;
}

int xdp_socket_since(const std::set<int>& before) {
  for (const int fd : xdp_sockets_of_this_process()) {
    if (!before.contains(fd)) {
      return fd;
    }
  }
  return -1;
}

Result<void> XdpSockets::before_setup() {
  return program_ ? detach_xdp(ifindex_, *program_) : Result<void>{};
}

Result<void> XdpSockets::after_setup(uint32_t queue, int socket) {
  auto attached = find_xdp(ifindex_);
  if (!attached || !*attached) {
    return attached ? fail(ErrorKind::kSystem, "the driver attached no XDP program")
                    : tl::unexpected(std::move(attached.error()));
  }
  if (!program_) {
    program_ = std::move(**attached);
    return {};
  }
  if (socket < 0) {
    return fail(ErrorKind::kSystem, fmt::format("the driver made no AF_XDP socket for queue {}", queue));
  }
  const auto sockets = open_map(program_->program, "xsks_map");
  if (!sockets) {
    return tl::unexpected(sockets.error());
  }
  if (const int rc = bpf_map_update_elem(sockets->get(), &queue, &socket, BPF_ANY); rc < 0) {
    return fail_errno(fmt::format("giving queue {} to its AF_XDP socket", queue), -rc);
  }
  return attach_xdp(ifindex_, program_->program.fd.get(), program_->mode, &**attached);
}

}  // namespace maglb
