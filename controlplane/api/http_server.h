// HTTP/1.1 on a Unix socket, on TCP with mutual TLS, or, for scrapers, on plain TCP. A connection is a
// Session (session.h); here they are let in, counted and shut out.
//
// Nobody can keep the place of others: at most kMaxConnections for each server; when they are all taken, the
// connection that was quiet longest and waits for no answer of ours makes room, one without any right first.
//
// Threads: the io_context's one.
#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>
#include <string>

#include "controlplane/api/access.h"
#include "controlplane/api/session.h"
#include "controlplane/api/tcp_listener.h"
#include "controlplane/api/tls.h"
#include "lib/base/error.h"

namespace maglb {

class HttpServer {
 public:
  static constexpr size_t kMaxConnections = 64;

  using Handle = Session::Handle;

  // kConflict when another program listens there.
  static Result<std::unique_ptr<HttpServer>> on_unix(boost::asio::io_context& io, const std::string& path,
                                                     SocketAccess access, Handle handle);
  // REQUIRES: `identity` outlives the server.
  static Result<std::unique_ptr<HttpServer>> on_tls(boost::asio::io_context& io, const TcpAddress& at,
                                                    const TlsIdentity& identity, NameAccess access,
                                                    Handle handle);
  // Whoever connects may read: `handle` must show nothing that is not for everybody.
  static Result<std::unique_ptr<HttpServer>> on_plain(boost::asio::io_context& io, const TcpAddress& at,
                                                      Handle handle);
  ~HttpServer();

 private:
  class Impl;
  explicit HttpServer(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace maglb
