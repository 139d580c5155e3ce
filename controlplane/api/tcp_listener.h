// A listening TCP socket and the text that says where: "127.0.0.1:9443", "[2001:db8::1]:9443".
#pragma once

#include <string>
#include <string_view>

#include "lib/base/error.h"
#include "lib/base/unique_fd.h"
#include "lib/net/address.h"

namespace maglb {

struct TcpAddress {
  IpAddress address;
  uint16_t port = 0;  // never 0

  // kInvalid when it is no address of numbers and a port behind a colon.
  static Result<TcpAddress> parse(std::string_view text);
  std::string to_string() const;
};

// Non-blocking, close-on-exec. kConflict when another program listens there.
Result<UniqueFd> listen_tcp(const TcpAddress& at);

}  // namespace maglb
