// A request and its answer, without the HTTP library.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "controlplane/desired/document.h"

namespace maglb {

// What a peer may do. Everything that is not a change is reading.
enum class Access : uint8_t { kNone, kRead, kAdmin };

// Who asks: on the Unix socket as the kernel says (SO_PEERCRED), with mutual TLS the certificate's subject.
struct Peer {
  uint32_t uid = 0;
  uint32_t gid = 0;
  int32_t pid = 0;        // 0: not of this machine's socket, uid and gid say nothing
  std::string name = {};  // the certificate's common name; empty on the Unix socket
  Access access = Access::kNone;
};

struct ApiRequest {
  std::string method;
  std::string target;  // path and query as they came
  std::string body;
  Peer peer = {};
  std::string if_match = {};  // headers; empty: not there
  std::string if_none_match = {};
  std::string last_event_id = {};
};

// The body of an answer that goes on until one side ends it. It is held by who writes; the reader may be
// gone, which costs nothing but the writing.
class BodyWriter {
 public:
  // What a reader has not taken yet. More is refused: it is too slow.
  static constexpr size_t kMaxQueued = size_t{1} << 20;

  virtual ~BodyWriter() = default;
  // False, and nothing is taken, when the queue has no room or the body has ended.
  virtual bool write(std::string piece) = 0;
  // `last` follows what is queued, whatever its size; then the connection is closed.
  virtual void end(std::string last) = 0;
  // Called once, when the connection is closed by whichever side. REQUIRES: called before it is.
  virtual void on_closed(std::function<void()> then) = 0;
};

struct ApiResponse {
  unsigned status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::string etag = {};   // with its quotes; empty: none
  std::string allow = {};  // of a 405: the methods
  // Instead of `body`: called once the head is on its way, never for HEAD.
  std::function<void(std::shared_ptr<BodyWriter>)> stream = {};
  unsigned retry_after = 0;  // of a 503: seconds; 0: nobody knows
};

// Called once, at once or later.
using Respond = std::function<void(ApiResponse)>;

ApiResponse error_response(const Refusal& refusal);
ApiResponse error_response(unsigned status, const char* kind, const std::string& message);

}  // namespace maglb
