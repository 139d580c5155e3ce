// What a transfer's failure was, in words for people, and whose fault. Pure.
#pragma once

#include <curl/curl.h>

#include <string>
#include <string_view>

#include "controlplane/probe/attempt.h"

namespace maglb {

struct CurlFailure {
  CURLcode code = CURLE_OK;
  long verify_result = 0;   // X509_V_...; 0: no fault was found in the chain
  int os_error = 0;         // errno of the call that failed; 0: none did
  std::string_view detail;  // libcurl's own words; may hold octets of the server's
  bool in_handshake = false;
};

// "connect: connection refused", "certificate has expired", "TLS handshake: wrong version number", ...
AttemptResult explain(const CurlFailure& failure);

// Printable ASCII, at most 160 octets of it.
std::string printable(std::string_view text);

}  // namespace maglb
