#include "controlplane/probe/probe_socket.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>

#include "lib/base/unique_fd.h"

namespace maglb {

using boost::system::error_code;

bool is_our_fault(const error_code& error) {
  if (error.category() != boost::system::system_category()) {
    return false;
  }
  // EINVAL: of a blackhole route, where marked packets go while their device is not there.
  constexpr std::array<int, 6> kOurs = {EMFILE, ENFILE, ENOBUFS, ENOMEM, EADDRNOTAVAIL, EINVAL};
  return std::find(kOurs.begin(), kOurs.end(), error.value()) != kOurs.end();
}

std::string describe(const error_code& error) {
  std::string text = error.message();
  if (!text.empty()) {
    text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
  }
  return text;
}

int open_probe_socket(const ProbeTarget& target, int type, int protocol, error_code& error) {
  const int family = target.connect_to.is_v4() ? AF_INET : AF_INET6;
  UniqueFd fd(::socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol));
  bool good = static_cast<bool>(fd);
  if (good && target.mark) {
    good = ::setsockopt(fd.get(), SOL_SOCKET, SO_MARK, &*target.mark, sizeof(*target.mark)) == 0;
  }
  if (!good) {
    error = error_code(errno, boost::system::system_category());
    return -1;
  }
  return fd.release();
}

}  // namespace maglb
