// The messages of gRPC's health check (grpc.health.v1), as they lie in the body of a request and a reply.
//
//   body    = flag length message        one byte, 0: not compressed; 4 bytes, network order
//   request = [0x0a size service]        field 1, text
//   reply   = *(field)                   field 1, a varint: the status; others are skipped
//
// https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md, .../doc/health-checking.md, and protobuf's
// encoding. Pure; what comes in is hostile.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "lib/base/error.h"

namespace maglb {

enum class ServingStatus : uint64_t { kUnknown = 0, kServing = 1, kNotServing = 2, kServiceUnknown = 3 };

// "SERVING", "NOT_SERVING"; "status 7" for one that the protocol does not have.
std::string to_string(ServingStatus status);

// The body of a request that asks for `service`; empty: for the server as a whole.
std::string health_request(std::string_view service);

// The status in a reply's body, which is one message and nothing behind it. Errors: kInvalid.
Result<ServingStatus> parse_health_reply(std::string_view body);

// "UNIMPLEMENTED" of a grpc-status header's "12". Errors: kInvalid for what is no number; a number without a
// name is "code 99".
Result<std::string> grpc_status_name(std::string_view code);

// The text of a grpc-message header: percent-decoded, unprintable octets replaced, at most 160 of them.
std::string grpc_message_text(std::string_view encoded);

}  // namespace maglb
