#include "controlplane/probe/grpc_attempt.h"

#include <strings.h>

#include "controlplane/probe/curl_error.h"
#include "controlplane/probe/grpc_message.h"

namespace maglb {
namespace {

bool same_name(std::string_view a, std::string_view b) {
  return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
}

// "application/grpc", also with "+proto" or parameters behind it.
bool is_grpc(std::string_view type) {
  constexpr std::string_view kType = "application/grpc";
  return same_name(type.substr(0, kType.size()), kType) &&
         (type.size() == kType.size() || type[kType.size()] == '+' || type[kType.size()] == ';');
}

}  // namespace

CurlAttempt::Request GrpcAttempt::request() {
  Request request;
  request.tls = target_->config.tls.enabled;
  request.http2 = true;
  request.path = "/grpc.health.v1.Health/Check";
  request.method = "POST";
  request.body = health_request(target_->config.grpc_service);
  content_type_.clear();
  grpc_status_.clear();
  grpc_message_.clear();
  request.headers = {"Content-Type: application/grpc", "TE: trailers", "Accept:", "Expect:"};
  return request;
}

void GrpcAttempt::header(std::string_view name, std::string_view value) {
  if (same_name(name, "content-type")) {
    content_type_ = value;
  } else if (same_name(name, "grpc-status")) {
    grpc_status_ = value;
  } else if (same_name(name, "grpc-message")) {
    grpc_message_ = value;
  }
}

void GrpcAttempt::head_ended() {
  if (status() != 200) {
    return decide(Outcome::kFailure, fmt::format("http status {}, not gRPC", status()));
  }
  if (!is_grpc(content_type_)) {
    decide(Outcome::kFailure, fmt::format("content type \"{}\", not gRPC", printable(content_type_)));
  }
}

void GrpcAttempt::judge() {
  if (body().size() == kMaxBodyBytes) {
    return decide(Outcome::kFailure, fmt::format("grpc: the reply is longer than {} bytes", kMaxBodyBytes));
  }
  if (grpc_status_.empty()) {
    return decide(Outcome::kFailure, "grpc: the reply has no grpc-status");
  }
  const Result<std::string> name = grpc_status_name(grpc_status_);
  if (!name) {
    return decide(Outcome::kFailure, "grpc: " + name.error().message);
  }
  if (*name != "OK") {
    const std::string text = grpc_message_text(grpc_message_);
    return decide(Outcome::kFailure, "grpc: " + *name + (text.empty() ? "" : ": " + text));
  }
  judge_message();
}

void GrpcAttempt::judge_message() {
  const Result<ServingStatus> serving = parse_health_reply(body());
  if (!serving) {
    return decide(Outcome::kFailure, "grpc: " + serving.error().message);
  }
  decide(*serving == ServingStatus::kServing ? Outcome::kSuccess : Outcome::kFailure,
         "grpc: " + to_string(*serving));
}

}  // namespace maglb
