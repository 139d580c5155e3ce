#include "controlplane/api/backend_body.h"

#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>
#include <nlohmann/json.hpp>

namespace maglb {
namespace {

using nlohmann::json;

Result<json> parse_object(std::string_view body, std::initializer_list<std::string_view> keys) {
  if (body.size() > kMaxBackendBody) {
    return fail(ErrorKind::kInvalid, fmt::format("the body has more than {} bytes", kMaxBackendBody));
  }
  json object = json::parse(body, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) {
    return fail(ErrorKind::kInvalid, "the body is not a JSON object");
  }
  for (const auto& [key, value] : object.items()) {
    if (std::find(keys.begin(), keys.end(), key) == keys.end()) {
      return fail(ErrorKind::kInvalid,
                  fmt::format("unknown key '{}', expected {}", key, fmt::join(keys, ", ")));
    }
  }
  return object;
}

Result<std::string> text_of(const json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_string()) {
    return fail(ErrorKind::kInvalid, fmt::format("{}: expected a string", key));
  }
  return found->get<std::string>();
}

Result<void> read_weight_and_state(const json& object, BackendPatch& patch) {
  if (const auto weight = object.find("weight"); weight != object.end()) {
    if (!weight->is_number_integer() || weight->get<int64_t>() < 0 ||
        weight->get<int64_t>() > int64_t{kMaxWeight}) {
      return fail(ErrorKind::kInvalid,
                  fmt::format("weight: expected a whole number in 0..{}", int64_t{kMaxWeight}));
    }
    patch.weight = weight->get<uint32_t>();
  }
  if (object.contains("state")) {
    const auto state = text_of(object, "state");
    if (state && *state == "up") {
      patch.state = AdminState::kUp;
    } else if (state && *state == "drain") {
      patch.state = AdminState::kDrain;
    } else if (state && *state == "down") {
      patch.state = AdminState::kDown;
    } else {
      return fail(ErrorKind::kInvalid, "state: expected up, drain or down");
    }
  }
  return {};
}

}  // namespace

Result<BackendConfig> parse_new_backend(std::string_view body) {
  const auto object = parse_object(body, {"name", "address", "weight", "state"});
  if (!object) {
    return tl::unexpected(object.error());
  }
  const auto name = text_of(*object, "name");
  const auto address_text = text_of(*object, "address");
  if (!name || !address_text) {
    return tl::unexpected(name ? address_text.error() : name.error());
  }
  auto address = IpAddress::parse(*address_text);
  if (!address) {
    return tl::unexpected(std::move(address.error()).within("address"));
  }
  BackendPatch patch;
  if (auto good = read_weight_and_state(*object, patch); !good) {
    return tl::unexpected(std::move(good.error()));
  }
  BackendConfig backend{*name, *address};
  backend.weight = patch.weight.value_or(backend.weight);
  backend.state = patch.state.value_or(backend.state);
  return backend;
}

Result<BackendPatch> parse_backend_patch(std::string_view body) {
  const auto object = parse_object(body, {"weight", "state"});
  if (!object) {
    return tl::unexpected(object.error());
  }
  BackendPatch patch;
  if (auto good = read_weight_and_state(*object, patch); !good) {
    return tl::unexpected(std::move(good.error()));
  }
  if (!patch.weight && !patch.state) {
    return fail(ErrorKind::kInvalid, "expected weight or state");
  }
  return patch;
}

}  // namespace maglb
