#include "tools/maglbctl/api_error.h"

#include <fmt/format.h>

#include <array>

#include "tools/maglbctl/render/field.h"

namespace maglb::ctl {
namespace {

struct Kind {
  std::string_view name;
  long http_status;
  ExitCode code;
};

constexpr std::array<Kind, 7> kKinds = {{{"invalid", 400, ExitCode::kInvalidConfig},
                                         {"forbidden", 403, ExitCode::kFailed},
                                         {"not_found", 404, ExitCode::kNotFound},
                                         {"conflict", 409, ExitCode::kConflict},
                                         {"precondition", 412, ExitCode::kConflict},
                                         {"unavailable", 503, ExitCode::kUnreachable},
                                         {"system", 500, ExitCode::kFailed}}};

ExitCode code_of(std::string_view kind, long http_status) {
  for (const Kind& known : kKinds) {
    if (known.name == kind) {
      return known.code;
    }
  }
  for (const Kind& known : kKinds) {
    if (known.http_status == http_status) {
      return known.code;
    }
  }
  return ExitCode::kFailed;
}

std::vector<Position> positions_of(const nlohmann::json& error) {
  std::vector<Position> out;
  const nlohmann::json& list = member(error, "positions");
  if (!list.is_array()) {
    return out;
  }
  for (const nlohmann::json& entry : list) {
    const auto line = whole_number(entry, "line");
    const auto column = whole_number(entry, "column");
    if (line && column) {
      out.push_back({*line, *column, text(entry, "message")});
    }
  }
  return out;
}

}  // namespace

Failure api_failure(long http_status, const nlohmann::json& answer) {
  const nlohmann::json& error = member(answer, "error");
  const nlohmann::json& kind = member(error, "kind");
  Failure failure;
  failure.code = code_of(kind.is_string() ? kind.get_ref<const std::string&>() : std::string(), http_status);
  const bool says_why = member(error, "message").is_string();
  failure.message = says_why ? text(error, "message") : "-";
  if (failure.message == "-") {
    failure.message = fmt::format("the control plane answers with HTTP status {}", http_status);
  }
  if (failure.code == ExitCode::kUnreachable) {
    failure.message +=
        "\nif the dataplane does not run, start it with: systemctl start maglb-dataplane\n"
        "or by hand: maglb-dataplane --config /etc/maglb/dataplane.yaml";
  }
  failure.positions = positions_of(error);
  return failure;
}

}  // namespace maglb::ctl
