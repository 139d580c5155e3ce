#include "controlplane/api/tcp_listener.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <charconv>
#include <cstring>

namespace maglb {
namespace {

sockaddr_storage wire_address(const TcpAddress& at, socklen_t& size) {
  sockaddr_storage storage{};
  if (at.address.is_v4()) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(at.port);
    std::memcpy(&v4.sin_addr, at.address.bytes.data() + 12, 4);
    std::memcpy(&storage, &v4, size = sizeof v4);
  } else {
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(at.port);
    std::memcpy(&v6.sin6_addr, at.address.bytes.data(), 16);
    std::memcpy(&storage, &v6, size = sizeof v6);
  }
  return storage;
}

}  // namespace

Result<TcpAddress> TcpAddress::parse(std::string_view text) {
  const auto wrong = [text] {
    return fail(ErrorKind::kInvalid, fmt::format("'{}' is not ADDRESS:PORT or [ADDRESS]:PORT", text));
  };
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) {
    return wrong();
  }
  std::string_view host = text.substr(0, colon);
  const std::string_view digits = text.substr(colon + 1);
  const bool in_brackets = host.size() > 2 && host.front() == '[' && host.back() == ']';
  host = in_brackets ? host.substr(1, host.size() - 2) : host;
  const auto address = IpAddress::parse(host);
  TcpAddress at;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), at.port);
  // A colon in the host is of IPv6, which has to stand in brackets, and nothing else may.
  if (!address || in_brackets != (host.find(':') != std::string_view::npos) || error != std::errc() ||
      end != digits.data() + digits.size() || at.port == 0) {
    return wrong();
  }
  at.address = *address;
  return at;
}

std::string TcpAddress::to_string() const {
  return address.is_v4() ? fmt::format("{}:{}", address.to_string(), port)
                         : fmt::format("[{}]:{}", address.to_string(), port);
}

Result<UniqueFd> listen_tcp(const TcpAddress& at) {
  socklen_t size = 0;
  const sockaddr_storage address = wire_address(at, size);
  UniqueFd fd(socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) {
    return fail_errno(at.to_string(), errno);
  }
  const int on = 1;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0 ||
      ::listen(fd.get(), 1024) != 0) {
    return errno == EADDRINUSE
               ? tl::unexpected(Error{ErrorKind::kConflict, "another program listens on " + at.to_string()})
               : tl::unexpected(fail_errno(at.to_string(), errno).value());
  }
  return fd;
}

}  // namespace maglb
