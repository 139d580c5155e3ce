// Answers that say no: {"error": {"kind", "message", "positions"?}} and its exit code.
#pragma once

#include <nlohmann/json.hpp>

#include "tools/maglbctl/outcome.h"

namespace maglb::ctl {

// `answer` is null when the body was no JSON object: the HTTP status decides then.
Failure api_failure(long http_status, const nlohmann::json& answer);

}  // namespace maglb::ctl
