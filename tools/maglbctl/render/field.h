// Reading the API's objects for display. A daemon of another version may leave a field out or send
// null: each reader then gives "-" (or nothing), so that one missing figure never costs the others.
// Text is escaped here, once.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/error.h"
#include "tools/maglbctl/render/table.h"

namespace maglb::ctl {

using Json = nlohmann::json;

// The member, or null when `object` is no object or has none of that name.
const Json& member(const Json& object, std::string_view name);

// The member as text: strings escaped, numbers as they are, booleans as yes and no, else "-".
std::string text(const Json& object, std::string_view name);
std::optional<uint64_t> whole_number(const Json& object, std::string_view name);
std::optional<double> number(const Json& object, std::string_view name);
// False as well when it is missing.
bool is_true(const Json& object, std::string_view name);

std::string count(const Json& object, std::string_view name);
std::string bytes(const Json& object, std::string_view name);
std::string exact(const Json& object, std::string_view name);
std::string duration(const Json& object, std::string_view name);
std::string share(const Json& object, std::string_view name);
// The strings of a list: "web, shop"; "-" when there are none.
std::string joined(const Json& object, std::string_view name);
// "3/4" from `name`_up and `name`_total, in the tone of how many are up.
Cell up_of_total(const Json& object, std::string_view name);

// Words for health, states and readiness in their colours: good for up, healthy, ...
Cell state_cell(const Json& object, std::string_view name);

// The members of a list of objects. An error when the answer has no such list: the peer is no maglb.
Result<std::vector<const Json*>> objects(const Json& answer, std::string_view list);
// An error unless the answer has this member (null is well): the peer is no maglb.
Result<void> expect_member(const Json& answer, std::string_view name);

}  // namespace maglb::ctl
