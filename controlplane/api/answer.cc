#include "controlplane/api/answer.h"

namespace maglb {

std::string json_text(const Json& object) {
  return object.dump(-1, ' ', false, Json::error_handler_t::replace);
}

ApiResponse json_response(const Json& object, unsigned status) {
  return {status, "application/json", json_text(object) + "\n"};
}

ApiResponse error_response(unsigned status, const char* kind, const std::string& message) {
  return json_response({{"error", {{"kind", kind}, {"message", message}}}}, status);
}

ApiResponse error_response(const Refusal& refusal) {
  constexpr std::pair<const char*, unsigned> kKinds[] = {
      {"invalid", 400}, {"not_found", 404}, {"conflict", 409}, {"unavailable", 503}, {"system", 500}};
  const auto& [kind, status] = kKinds[static_cast<size_t>(refusal.error.kind)];
  Json error = {{"kind", kind}, {"message", refusal.error.message}};
  if (!refusal.positions.empty()) {
    Json& positions = error["positions"] = Json::array();
    for (const Position& position : refusal.positions) {
      positions.push_back(
          {{"line", position.line}, {"column", position.column}, {"message", position.message}});
    }
  }
  return json_response({{"error", std::move(error)}}, status);
}

ApiResponse error_response(const Error& error) {
  return error_response(Refusal{error, {}});
}

Json text_or_null(const std::string& text) {
  return text.empty() ? Json(nullptr) : Json(text);
}

double seconds_since_1970(std::chrono::system_clock::time_point time) {
  const auto since = std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch());
  return static_cast<double>(since.count()) / 1000;
}

}  // namespace maglb
