// What a command ends with: text for standard output, or a failure with the exit code that scripts
// read and the message that people read.
#pragma once

#include <cstdint>
#include <string>
#include <tl/expected.hpp>
#include <vector>

namespace maglb::ctl {

// Part of the tool's interface (docs/maglbctl.md): a number never changes its meaning.
enum class ExitCode : int {
  kOk = 0,
  kFailed = 1,
  kUsage = 2,
  kInvalidConfig = 3,
  kUnreachable = 4,
  kNotFound = 5,
  kConflict = 6,
};

// A place in a document, counted from 1, and what is wrong there.
struct Position {
  uint64_t line = 0;
  uint64_t column = 0;
  std::string message;
};

// Messages are escaped already: they may go to a terminal.
struct Failure {
  ExitCode code = ExitCode::kFailed;
  std::string message;
  // When a document was refused and the places are known. `document` is its name for people.
  std::vector<Position> positions = {};
  std::string document = {};
};

template <typename T>
using Outcome = tl::expected<T, Failure>;

inline tl::unexpected<Failure> failed(ExitCode code, std::string message) {
  return tl::unexpected<Failure>(Failure{code, std::move(message)});
}

}  // namespace maglb::ctl
