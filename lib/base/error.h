// Errors as values. Cold code returns Result<T>; each caller that knows more adds context in front:
// "pool web: backend web3: port 0 is not in 1..65535".
//
// The kind is what a program does about an error (exit code, HTTP status); the message is for people.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace maglb {

enum class ErrorKind : uint8_t {
  kInvalid,      // the input is wrong; trying again will not help
  kNotFound,     // a name that refers to nothing
  kConflict,     // the state does not allow it now
  kUnavailable,  // a peer or device does not answer; trying again may help
  kSystem,       // the operating system refused
};

struct Error {
  ErrorKind kind = ErrorKind::kInvalid;
  std::string message;

  // "context: message".
  Error within(std::string_view context) && {
    message.insert(0, ": ").insert(0, context);
    return std::move(*this);
  }
};

template <typename T>
using Result = tl::expected<T, Error>;

inline tl::unexpected<Error> fail(ErrorKind kind, std::string message) {
  return tl::unexpected<Error>(Error{kind, std::move(message)});
}

// "what: strerror(error_number)", kind kSystem.
tl::unexpected<Error> fail_errno(std::string_view what, int error_number);

}  // namespace maglb
