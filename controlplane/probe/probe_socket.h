// Sockets of probes: where they go, what is set on them, and whose fault an error is.
#pragma once

#include <boost/asio/ip/address.hpp>
#include <boost/system/error_code.hpp>
#include <string>

#include "controlplane/probe/target.h"

namespace maglb {

template <typename Protocol>
typename Protocol::endpoint endpoint_of(const ProbeTarget& target) {
  const IpAddress& to = target.connect_to;
  if (to.is_v4()) {
    return {boost::asio::ip::address_v4(to.to_v4().host()), target.port};
  }
  return {boost::asio::ip::address_v6(to.bytes), target.port};
}

// What this machine lacked, not what the target did: descriptors, memory, an ephemeral port, the device of
// probes through tunnels.
bool is_our_fault(const boost::system::error_code& error);

// The system's words for it, beginning small: "connection refused".
std::string describe(const boost::system::error_code& error);

// A socket of (family, type, protocol) that does not block, is closed at exec and carries the target's mark;
// -1 with `error` set. Whatever fails here fails on our side.
int open_probe_socket(const ProbeTarget& target, int type, int protocol, boost::system::error_code& error);

// The same for an asio socket. REQUIRES: it is closed.
template <typename Socket>
boost::system::error_code open_for(Socket& socket, const ProbeTarget& target) {
  using Protocol = typename Socket::protocol_type;
  const Protocol protocol = target.connect_to.is_v4() ? Protocol::v4() : Protocol::v6();
  boost::system::error_code error;
  const int fd = open_probe_socket(target, protocol.type(), protocol.protocol(), error);
  if (fd >= 0) {
    socket.assign(protocol, fd, error);
  }
  return error;
}

}  // namespace maglb
