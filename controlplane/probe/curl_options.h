// Options of a transfer by CurlEngine: set one after the other, looked at once whether libcurl took all.
//
// Threads: the io_context's one.
#pragma once

#include <curl/curl.h>

#include <array>

#include "controlplane/probe/curl_engine.h"

namespace maglb {

class CurlOptions {
 public:
  explicit CurlOptions(CURL* easy) : easy_(easy) {}

  template <typename Value>
  void set(CURLoption option, Value value) {
    good_ = curl_easy_setopt(easy_, option, value) == CURLE_OK && good_;
  }

  // A connection that belongs to this transfer alone and ends with it; neither a proxy nor anything else that
  // the environment names has an influence. `open` is called with `self`, and opens the engine's sockets.
  void own_connection(CurlEngine& engine, curl_opensocket_callback open, void* self,
                      std::array<char, CURL_ERROR_SIZE>& error_text) {
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_PROXY, "");
    set(CURLOPT_NOPROXY, "*");
    set(CURLOPT_FRESH_CONNECT, 1L);
    set(CURLOPT_FORBID_REUSE, 1L);
    set(CURLOPT_ERRORBUFFER, error_text.data());
    set(CURLOPT_OPENSOCKETFUNCTION, open);
    set(CURLOPT_OPENSOCKETDATA, self);
    set(CURLOPT_CLOSESOCKETFUNCTION, &CurlEngine::close_socket);
    set(CURLOPT_CLOSESOCKETDATA, &engine);
  }

  bool good() const { return good_; }

 private:
  CURL* easy_;
  bool good_ = true;
};

}  // namespace maglb
