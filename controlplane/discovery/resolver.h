// DNS questions by c-ares on the event loop: its sockets and its timer are asio's. No thread.
//
// One Resolver is for some questions that belong together, not for long: each new one reads the system's
// resolvers anew and asks from another port.
//
// Invariants:
//   1. A listener is called from the io_context, never from inside ask() or find_addresses(); it may drop the
//      Resolver. When that is gone, listeners of open questions are dropped without a call.
//   2. The descriptors are c-ares's: asio gives each back before it is closed.
//
// Threads: the io_context's one.
#pragma once

#include <ares.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "controlplane/discovery/dns_answer.h"
#include "lib/base/error.h"
#include "lib/net/address.h"

namespace maglb {

class Resolver : public std::enable_shared_from_this<Resolver> {
 public:
  // A whole message that answers the question. Errors: kNotFound when DNS says that there is no such name or
  // record, kUnavailable when it says nothing, or that it does not know.
  using Answered = std::function<void(Result<std::vector<uint8_t>>)>;
  using Addressed = std::function<void(Result<std::vector<IpAddress>>)>;

  // `servers` as in BackendSource; none: the system's.
  static Result<std::shared_ptr<Resolver>> make(boost::asio::io_context& io,
                                                const std::vector<std::string>& servers);
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  // The name as it is, without the system's search list; aliases are the server's to follow.
  void ask(const std::string& name, RecordType type, Answered answered);
  // By /etc/hosts and DNS, at least one; an address in text is itself.
  void find_addresses(const std::string& name, Addressed addressed);

 private:
  struct Socket;
  struct Question;
  struct Lookup;

  explicit Resolver(boost::asio::io_context& io) : io_(io), timer_(io) {}
  static void on_socket(void* self, ares_socket_t fd, int readable, int writable);
  static void on_answer(void* question, int status, int timeouts, unsigned char* message, int size);
  static void on_addresses(void* lookup, int status, int timeouts, ares_addrinfo* found);
  void watch(const std::shared_ptr<Socket>& socket);
  void wait(const std::shared_ptr<Socket>& socket, bool for_reading);
  void process(ares_socket_t readable, ares_socket_t writable);
  void set_timer();

  boost::asio::io_context& io_;
  boost::asio::steady_timer timer_;
  ares_channel channel_ = nullptr;
  std::map<ares_socket_t, std::shared_ptr<Socket>> sockets_;
};

}  // namespace maglb
