// What the attempts of this folder have in common: whom to tell, what to say of an error, and handlers that
// are silent after a cancel().
#pragma once

#include <fmt/format.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/system/error_code.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "controlplane/probe/attempt.h"
#include "controlplane/probe/probe_socket.h"
#include "lib/base/check.h"

namespace maglb {

template <typename Self>
class AttemptBase : public Attempt, public std::enable_shared_from_this<Self> {
 public:
  explicit AttemptBase(boost::asio::io_context& io) : io_(io) {}

  void start(const ProbeTarget& target, Done done) final {
    check(!done_, "one attempt at a time");
    target_ = &target;
    done_ = std::move(done);
    run();
  }
  void cancel() final {
    done_ = nullptr;
    close();
  }
  std::string_view stage() const final { return stage_; }

 protected:
  using ErrorCode = boost::system::error_code;

  // Begins. It must not finish before it returns: finish_later() is for what fails at once.
  virtual void run() = 0;
  // Lets go of sockets and children. May be called twice.
  virtual void close() = 0;

  // Completion handlers that do nothing once cancel() was called. Derived: Self or what derives from it.
  template <typename Derived>
  auto then(void (Derived::*next)(ErrorCode)) {
    return [self = this->shared_from_this(), next](const ErrorCode& error, auto&&...) {
      if (self->done_) {
        (static_cast<Derived*>(self.get())->*next)(error);
      }
    };
  }
  template <typename Derived>
  auto then(void (Derived::*next)(ErrorCode, size_t)) {
    return [self = this->shared_from_this(), next](const ErrorCode& error, size_t size) {
      if (self->done_) {
        (static_cast<Derived*>(self.get())->*next)(error, size);
      }
    };
  }

  void finish(Outcome outcome, std::string reason) {
    close();
    // Empty before the call, which may start this object again.
    const Done done = std::exchange(done_, nullptr);
    done({outcome, std::move(reason)});
  }
  void finish_later(Outcome outcome, std::string reason) {
    boost::asio::post(io_, [self = this->shared_from_this(), outcome, reason = std::move(reason)]() mutable {
      if (self->done_) {
        self->finish(outcome, std::move(reason));
      }
    });
  }
  void failed(std::string_view doing, const ErrorCode& error) {
    finish(is_our_fault(error) ? Outcome::kSkipped : Outcome::kFailure,
           fmt::format("{}: {}", doing, describe(error)));
  }

  boost::asio::io_context& io_;
  const ProbeTarget* target_ = nullptr;
  std::string_view stage_;

 private:
  Done done_;
};

}  // namespace maglb
