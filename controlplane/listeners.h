// Where the API is reached: the Unix socket always, TCP with mutual TLS and plain TCP for scrapers when
// asked.
//
// Threads: the io_context's one.
#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>
#include <string>
#include <vector>

#include "controlplane/api/http_server.h"
#include "controlplane/options.h"

namespace maglb {

class Listeners {
 public:
  // Refuses what cannot be used, saying which option it is of.
  static Result<Listeners> open(boost::asio::io_context& io, const Options& options,
                                HttpServer::Handle handle);

  // Certificates are read again; in the log when they cannot be used, and those before stay.
  void reload();

 private:
  std::unique_ptr<TlsIdentity> identity_;
  std::vector<std::unique_ptr<HttpServer>> servers_;
};

}  // namespace maglb
