#include "controlplane/probe/curl_http_attempt.h"

#include <algorithm>

#include "controlplane/probe/http_words.h"

namespace maglb {

CurlAttempt::Request CurlHttpAttempt::request() {
  const ProbeConfig& config = target_->config;
  Request request;
  request.tls = config.type == ProbeType::kHttps;
  request.http2 = config.type == ProbeType::kHttp2 || config.http_version == 2;
  request.path = config.path;
  request.method = config.method;
  if (!request.http2) {
    request.headers = {"Connection: close"};
  }
  return request;
}

void CurlHttpAttempt::head_ended() {
  if (!target_->config.accepts(status())) {
    return decide(Outcome::kFailure, refused_status(target_->config, status()));
  }
  if (target_->config.body.empty()) {
    good();
  }
}

void CurlHttpAttempt::body_grew(size_t before) {
  const std::string& wanted = target_->config.body;
  const size_t from = before - std::min(before, wanted.size() - 1);
  if (body().find(wanted, from) != std::string::npos) {
    good();
  }
}

void CurlHttpAttempt::judge() {
  if (status() == 0) {
    return decide(Outcome::kFailure, "receive: not HTTP: the response has no head");
  }
  decide(Outcome::kFailure,
         fmt::format("the expected text is not in the first {} bytes of the body", body().size()));
}

void CurlHttpAttempt::good() {
  decide(Outcome::kSuccess, fmt::format("http status {}", status()));
}

}  // namespace maglb
