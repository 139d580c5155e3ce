#include "tools/maglbctl/refusal.h"

#include <fmt/format.h>

#include "tools/maglbctl/render/human.h"

namespace maglb::ctl {

Failure refused(Failure failure, const std::string& document, const std::string& meaning) {
  if (failure.code != ExitCode::kInvalidConfig) {
    return failure;
  }
  failure.document = document;
  failure.message =
      failure.positions.empty() ? fmt::format("{}: {}", escaped(document), failure.message) : "";
  if (!meaning.empty()) {
    failure.message += (failure.message.empty() ? "" : "\n") + meaning;
  }
  return failure;
}

Failure refused_by_name(Failure failure) {
  if (failure.code != ExitCode::kInvalidConfig || failure.positions.empty()) {
    return failure;
  }
  // Line 0 is the document as a whole, which is written without a place.
  const Position& first = failure.positions.front();
  const std::string place = first.line == 0 ? ": " : fmt::format(":{}:{}: ", first.line, first.column);
  const std::size_t end = failure.message.find(place);
  const bool is_named = end != std::string::npos && end > 0;
  const std::string name = is_named ? failure.message.substr(0, end) : "the document";
  return refused(std::move(failure), name, "");
}

}  // namespace maglb::ctl
