// One source on an event loop of its own, and what it said.
#pragma once

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "controlplane/discovery/member_source.h"
#include "lib/base/check.h"
#include "lib/base/unique_fd.h"

namespace maglb::test {

// Free a moment ago, for TCP and UDP alike on most days; who needs it tries again.
inline uint16_t free_port() {
  const UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  check(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size) == 0, "a test has a port");
  check(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0, "a port has a number");
  return ntohs(address.sin_port);
}

// "10.0.1.11=100 10.0.1.12=50", in the order told.
inline std::string words(const Members& members) {
  std::string text;
  for (const BackendConfig& member : members) {
    const std::string address = member.address.to_string();
    text += (text.empty() ? "" : " ") + (member.name == address ? "" : member.name + "@") + address + "=" +
            std::to_string(member.weight);
  }
  return text;
}

class SourceTest : public testing::Test {
 protected:
  ~SourceTest() override {
    if (source_) {
      source_->stop();
    }
  }

  void start(const BackendSource& config) {
    source_ = make_source(io_, config, [this](Result<Found> result) { take(std::move(result)); });
    starting_ = true;
    source_->start();
    starting_ = false;
  }

  // A generous deadline, for busy machines.
  bool run_until(const std::function<bool()>& holds) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!holds()) {
      if (std::chrono::steady_clock::now() > deadline) {
        return false;
      }
      io_.restart();
      io_.run_one_for(std::chrono::milliseconds(10));
    }
    return true;
  }
  void run_for(std::chrono::milliseconds time) {
    const auto deadline = std::chrono::steady_clock::now() + time;
    run_until([&] { return std::chrono::steady_clock::now() > deadline; });
  }

  // The last list, as words(); what was the last error is in error_.
  testing::AssertionResult finds(const std::string& expected) {
    const bool found = run_until([&] { return error_.empty() && list_ == expected; });
    return found ? testing::AssertionSuccess()
                 : testing::AssertionFailure() << "last list: " << list_ << ", last error: " << error_;
  }
  testing::AssertionResult fails(const std::string& part) {
    const bool failed = run_until([&] { return error_.find(part) != std::string::npos; });
    return failed ? testing::AssertionSuccess()
                  : testing::AssertionFailure() << "last list: " << list_ << ", last error: " << error_;
  }

  boost::asio::io_context io_;
  std::shared_ptr<MemberSource> source_;
  std::string list_;
  std::string complaint_;
  std::string error_ = "nothing yet";
  size_t lists_ = 0;
  size_t errors_ = 0;

 private:
  void take(Result<Found> result) {
    EXPECT_FALSE(starting_) << "called from inside start()";
    if (!result) {
      ++errors_;
      error_ = result.error().message;
      return;
    }
    ++lists_;
    error_.clear();
    list_ = words(result->members);
    complaint_ = result->complaint;
  }

  bool starting_ = false;
};

}  // namespace maglb::test
