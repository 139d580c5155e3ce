// HTTP/1.1 on the API's Unix socket. Only this folder's http_server.cc includes the HTTP library.
//
// Nobody can keep the place of others: at most kMaxConnections; when they are all taken, the connection
// that was quiet longest and waits for no answer of ours makes room. A request's head has kHeadTimeout
// and kMaxHead bytes to arrive, its body kBodyTimeout and kMaxBody. Requests of one connection are
// answered one after the other, pipelined or not.
//
// Threads: the io_context's one.
#pragma once

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "controlplane/api/message.h"
#include "lib/base/error.h"

namespace maglb {

class HttpServer {
 public:
  static constexpr size_t kMaxConnections = 64;
  static constexpr size_t kMaxHead = size_t{16} << 10;
  static constexpr size_t kMaxBody = size_t{16} << 20;
  static constexpr std::chrono::seconds kHeadTimeout{10};
  static constexpr std::chrono::seconds kBodyTimeout{20};
  static constexpr std::chrono::seconds kWriteTimeout{20};

  using Handle = std::function<void(const ApiRequest&, Respond)>;

  // Listens at `path`, mode 0660. kConflict when another program does.
  static Result<std::unique_ptr<HttpServer>> listen(boost::asio::io_context& io, const std::string& path,
                                                    Handle handle);
  ~HttpServer();

 private:
  class Impl;
  explicit HttpServer(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace maglb
