// How answers are written: objects, and what several of them have.
//
// Threads: none; functions of their arguments.
#pragma once

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>

#include "controlplane/api/message.h"

namespace maglb {

using Json = nlohmann::ordered_json;

// What is no UTF-8, as a probe's reason may be by what a server sent, is replaced.
std::string json_text(const Json& object);
ApiResponse json_response(const Json& object, unsigned status = 200);
ApiResponse error_response(const Error& error);

Json text_or_null(const std::string& text);
// In milliseconds.
double seconds_since_1970(std::chrono::system_clock::time_point time);

}  // namespace maglb
