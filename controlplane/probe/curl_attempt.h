// What the attempts by libcurl have in common (https, http2, grpc): a connection to the target's address,
// the server's proof of who it is, one request, and a response of bounded size.
//
// The address is the target's and nothing is looked up; the names in the request and in the certificate are
// the configured ones. What the environment, cookies, redirects or earlier connections say has no influence.
//
//   prepare() -> connecting -> in the TLS handshake -> waiting for the response
//     -> header() for each line, head_ended() -> body_grew() ... -> header() for trailers -> judge()
//
// A type says decide() as soon as it knows; what the server would go on to send is not read then.
//
// Invariant: at most kMaxHeadBytes of head and trailers and kMaxBodyBytes of body are kept; a body that is
// longer is judged by its beginning.
//
// Threads: the io_context's one.
#pragma once

#include <curl/curl.h>
#include <openssl/types.h>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/probe/attempt_base.h"
#include "controlplane/probe/curl_engine.h"

namespace maglb {

class CurlAttempt : public AttemptBase<CurlAttempt>, private CurlEngine::Transfer {
 public:
  static constexpr size_t kMaxHeadBytes = 65536;
  static constexpr size_t kMaxBodyBytes = 65536;

  explicit CurlAttempt(std::shared_ptr<CurlEngine> engine);
  ~CurlAttempt() override;
  CurlAttempt(const CurlAttempt&) = delete;
  CurlAttempt& operator=(const CurlAttempt&) = delete;

 protected:
  struct Request {
    bool tls = false;
    bool http2 = false;      // and nothing else will do
    std::string path = "/";  // with the query
    std::string method = "GET";
    std::string body;                  // POST
    std::vector<std::string> headers;  // "name: value"
  };

  // What to ask target_ for. An earlier response is forgotten.
  virtual Request request() = 0;
  // A line of the head or, after head_ended(), of the trailers.
  virtual void header(std::string_view name, std::string_view value) = 0;
  virtual void head_ended() = 0;
  // body() is longer than before().
  virtual void body_grew(size_t before) = 0;
  // The response is whole, or its body too long. REQUIRES of it: decides.
  virtual void judge() = 0;

  // The first word counts.
  void decide(Outcome outcome, std::string reason);

  uint16_t status() const { return status_; }
  const std::string& body() const { return body_; }

 private:
  struct FreeEasy {
    void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
  };
  struct FreeUrl {
    void operator()(CURLU* url) const { curl_url_cleanup(url); }
  };
  struct FreeList {
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
  };

  void run() override;
  void close() override;
  void ended(CURLcode code) override;

  bool set_up();
  bool set_address();
  bool set_tls();
  bool set_request();
  void set_limits();
  void set_callbacks();
  void cannot(std::string reason);
  size_t on_head_line(std::string_view line);
  void on_blank_line();
  size_t on_body(std::string_view piece);
  void explain_failure(CURLcode code);

  static curl_socket_t open_socket(void* self, curlsocktype purpose, curl_sockaddr* address);
  static CURLcode handshake_begins(CURL* easy, void* context, void* self);
  static int connected(void* self, char* to, char* from, int to_port, int from_port);
  static size_t head_line(char* data, size_t one, size_t size, void* self);
  static size_t body_piece(char* data, size_t one, size_t size, void* self);

  const std::shared_ptr<CurlEngine> engine_;
  const std::unique_ptr<CURL, FreeEasy> easy_;
  std::unique_ptr<CURLU, FreeUrl> url_;
  std::unique_ptr<curl_slist, FreeList> headers_;
  std::unique_ptr<curl_slist, FreeList> connect_to_;
  std::shared_ptr<X509_STORE> roots_;
  bool added_ = false;
  Request request_;
  std::array<char, CURL_ERROR_SIZE> error_text_{};
  ErrorCode socket_error_;
  std::optional<AttemptResult> verdict_;
  uint16_t status_ = 0;
  uint32_t interim_ = 0;  // responses of status 1xx
  size_t head_bytes_ = 0;
  bool in_head_ = true;
  std::string body_;
};

// The name that the certificate has to be for, and SNI: tls.server_name, else the name in `host`, else the
// address ("[::1]" for IPv6).
std::string certificate_name_of(const ProbeTarget& target);

}  // namespace maglb
