// https (HTTP/1.1 or HTTP/2, as ALPN settles it) and http2 (in the clear, by prior knowledge): a GET or HEAD,
// judged by its status and, where a text is looked for, by the first 64 KiB of its body.
#pragma once

#include "controlplane/probe/curl_attempt.h"

namespace maglb {

class CurlHttpAttempt final : public CurlAttempt {
 public:
  using CurlAttempt::CurlAttempt;

 private:
  Request request() override;
  void header(std::string_view, std::string_view) override {}
  void head_ended() override;
  void body_grew(size_t before) override;
  void judge() override;
  void good();
};

}  // namespace maglb
