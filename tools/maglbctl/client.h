// The control plane's API over its Unix socket (docs/api.md), through libcurl.
//
// Whoever answers is not trusted: a call ends within its timeout, an answer is at most kMaxAnswer
// bytes and kMaxDepth levels deep, and its text is escaped before it becomes part of a message.
// One thread.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "tools/maglbctl/outcome.h"

namespace maglb::ctl {

// Null when the text is no JSON object, or one nested deeper than anything of the API.
nlohmann::json parse_object(const std::string& text);

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

  // Asked about once a second while an answer is waited for; a call is given up when it says yes.
  void interrupt_when(std::function<bool()> asked) { interrupted_ = std::move(asked); }

  // `path` begins with a slash and is escaped for a URL already. A JSON answer is always an object.
  Outcome<nlohmann::json> get(const std::string& path);
  Outcome<std::string> get_text(const std::string& path);
  // `method` is POST, PUT, PATCH or DELETE. Of what get() read last: only as it was then (If-Match).
  Outcome<nlohmann::json> change(const std::string& method, const std::string& path,
                                 const nlohmann::json& body);
  Outcome<nlohmann::json> send_document(const std::string& method, const std::string& path,
                                        std::string_view yaml);

  // A body that goes on: `take` gets each piece as it comes, until the peer ends it. Silence of a minute is a
  // failure, and so is a piece for which `take` says no.
  using Take = std::function<bool(std::string_view piece)>;
  Outcome<void> stream(const std::string& path, Take take);

 private:
  struct Request;
  struct Answer;
  struct Curl;

  Outcome<Answer> perform(const Request& request);
  Outcome<nlohmann::json> perform_json(const Request& request);
  Failure unreachable(int curl_code, const Request& request) const;

  std::string socket_path_;
  std::chrono::milliseconds timeout_;
  std::function<bool()> interrupted_;
  std::unique_ptr<Curl> curl_;
};

}  // namespace maglb::ctl
