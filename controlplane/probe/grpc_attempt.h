// grpc: grpc.health.v1.Health/Check, in the clear (prior knowledge) or inside TLS. SERVING is good; every
// other status, of the service or of the call, is a failure that goes by its name.
//
// The call's status comes behind the reply, or in its head when there is none. A reply without one is no
// answer, whatever its message says.
#pragma once

#include <string>

#include "controlplane/probe/curl_attempt.h"

namespace maglb {

class GrpcAttempt final : public CurlAttempt {
 public:
  using CurlAttempt::CurlAttempt;

 private:
  Request request() override;
  void header(std::string_view name, std::string_view value) override;
  void head_ended() override;
  void body_grew(size_t) override {}
  void judge() override;
  void judge_message();

  // Of this reply; empty: there was no such header.
  std::string content_type_;
  std::string grpc_status_;
  std::string grpc_message_;
};

}  // namespace maglb
