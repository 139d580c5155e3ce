// The control plane's API over its Unix socket (docs/api.md), through libcurl.
//
// Whoever answers is not trusted: a call ends within its timeout, an answer is at most kMaxAnswer
// bytes and kMaxDepth levels deep, and its text is escaped before it becomes part of a message.
// One thread.
#pragma once

#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "tools/maglbctl/outcome.h"

namespace maglb::ctl {

class Client {
 public:
  static constexpr std::size_t kMaxAnswer = std::size_t{64} << 20;
  static constexpr std::size_t kMaxHeaders = std::size_t{64} << 10;
  static constexpr int kMaxDepth = 32;

  // REQUIRES: the path fits into a sockaddr_un.
  Client(std::string socket_path, std::chrono::milliseconds timeout);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // `path` begins with a slash and is escaped for a URL already. A JSON answer is always an object.
  Outcome<nlohmann::json> get(const std::string& path);
  Outcome<std::string> get_text(const std::string& path);
  // `method` is POST, PUT, PATCH or DELETE. Of what get() read last: only as it was then (If-Match).
  Outcome<nlohmann::json> change(const std::string& method, const std::string& path,
                                 const nlohmann::json& body);
  Outcome<nlohmann::json> send_document(const std::string& method, const std::string& path,
                                        std::string_view yaml);

 private:
  struct Request;
  struct Answer;
  struct Curl;

  Outcome<Answer> perform(const Request& request);
  Outcome<nlohmann::json> perform_json(const Request& request);
  Failure unreachable(int curl_code, const Request& request) const;

  std::string socket_path_;
  std::chrono::milliseconds timeout_;
  std::unique_ptr<Curl> curl_;
};

}  // namespace maglb::ctl
