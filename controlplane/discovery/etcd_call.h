// One POST to an endpoint of etcd's JSON gateway, by libcurl on the event loop
// (controlplane/probe/curl_engine.h).
//
// The endpoint's name goes into the URL and the certificate has to be for it; the connection goes to the
// address that was looked up before. What the environment, proxies or redirects say has no influence.
//
// Invariants:
//   1. The listeners are called from the io_context, not from inside start(); `ended` once, and then nothing.
//   2. `piece` is called by libcurl: it must not drop the call.
//
// Threads: the io_context's one.
#pragma once

#include <curl/curl.h>

#include <array>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "controlplane/probe/curl_engine.h"
#include "lib/base/error.h"
#include "lib/net/address.h"

namespace maglb {

struct EtcdEndpoint {
  std::string url;  // "https://etcd-1:2379"
  IpAddress address;
  std::string ca_file, cert_file, key_file;
};

// The host in "http://HOST" or "http://HOST:PORT".
Result<std::string> host_of(const std::string& endpoint);

class EtcdCall final : private CurlEngine::Transfer {
 public:
  // Returns false to end the call: too much has come.
  using Piece = std::function<bool(std::string_view)>;
  // Success also where the status is one of errors: etcd says in the body what is wrong.
  using Ended = std::function<void(Result<void>)>;

  explicit EtcdCall(std::shared_ptr<CurlEngine> engine);
  ~EtcdCall();
  EtcdCall(const EtcdCall&) = delete;
  EtcdCall& operator=(const EtcdCall&) = delete;

  // kSystem when libcurl does not take it. REQUIRES: not started before.
  Result<void> start(const EtcdEndpoint& endpoint, const std::string& path, std::string body,
                     std::chrono::milliseconds timeout, Piece piece, Ended ended);

 private:
  struct FreeEasy {
    void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
  };
  struct FreeList {
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
  };

  bool set_up(const EtcdEndpoint& endpoint, const std::string& path, std::chrono::milliseconds timeout);
  bool set_callbacks();
  void ended(CURLcode code) override;
  static curl_socket_t open_socket(void* self, curlsocktype purpose, curl_sockaddr* address);
  static size_t on_piece(char* data, size_t one, size_t size, void* self);

  const std::shared_ptr<CurlEngine> engine_;
  const std::unique_ptr<CURL, FreeEasy> easy_;
  std::unique_ptr<curl_slist, FreeList> headers_;
  std::unique_ptr<curl_slist, FreeList> connect_to_;
  std::array<char, CURL_ERROR_SIZE> error_text_{};
  std::string body_;
  Piece piece_;
  Ended ended_;
  bool added_ = false;
};

}  // namespace maglb
