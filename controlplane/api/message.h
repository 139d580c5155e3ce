// A request and its answer, without the HTTP library.
#pragma once

#include <functional>
#include <string>

#include "controlplane/desired/document.h"

namespace maglb {

// Who asks, as the kernel says (SO_PEERCRED).
struct Peer {
  uint32_t uid = 0;
  uint32_t gid = 0;
  int32_t pid = 0;
};

struct ApiRequest {
  std::string method;
  std::string target;  // path and query as they came
  std::string body;
  Peer peer = {};
};

struct ApiResponse {
  unsigned status = 200;
  std::string content_type = "application/json";
  std::string body;
};

// Called once, at once or later.
using Respond = std::function<void(ApiResponse)>;

ApiResponse error_response(const Refusal& refusal);
ApiResponse error_response(unsigned status, const char* kind, const std::string& message);

}  // namespace maglb
