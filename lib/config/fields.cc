#include "lib/config/fields.h"

#include <fmt/format.h>

#include "lib/yaml/text.h"

namespace maglb {

bool read_name(const yaml::Field& field, std::string& out) {
  if (!field.scalar("a name")) {
    return false;
  }
  if (!is_name(field.node().text)) {
    field.problem(fmt::format("expected {}, not {}", kNameRule, yaml::describe(field.node())));
    return false;
  }
  out = field.node().text;
  return true;
}

bool read_address(const yaml::Field& field, IpAddress& out) {
  if (!field.scalar("an IP address")) {
    return false;
  }
  const auto address = IpAddress::parse(field.node().text);
  if (!address) {
    field.problem(fmt::format("expected an IP address, not {}", yaml::describe(field.node())));
    return false;
  }
  out = *address;
  return true;
}

bool read_prefix(const yaml::Field& field, IpPrefix& out) {
  if (!field.scalar("an IP address or a prefix")) {
    return false;
  }
  const auto prefix = IpPrefix::parse(field.node().text);
  if (!prefix) {
    field.problem("expected an IP address or a prefix: " + prefix.error().message);
    return false;
  }
  out = *prefix;
  return true;
}

bool read_port_range(const yaml::Field& field, PortRange& out) {
  constexpr std::string_view kExpected = "a port in 1..65535, a range like 8000-8999, or any";
  if (!field.scalar(kExpected)) {
    return false;
  }
  const std::string_view text = field.node().text;
  if (text == "any") {
    out = PortRange();
    return true;
  }
  const size_t dash = text.find('-');
  const auto low = yaml::parse_integer(text.substr(0, dash));
  const auto high = dash == std::string_view::npos ? low : yaml::parse_integer(text.substr(dash + 1));
  if (!low || !high || *low < 1 || *high > 65535 || *low > *high) {
    field.problem(fmt::format("expected {}, not {}", kExpected, yaml::describe(field.node())));
    return false;
  }
  out = PortRange(static_cast<uint16_t>(*low), static_cast<uint16_t>(*high));
  return true;
}

bool read_mac(const yaml::Field& field, MacAddress& out) {
  if (!field.scalar("a MAC address")) {
    return false;
  }
  const auto mac = MacAddress::parse(field.node().text);
  if (!mac) {
    field.problem(
        fmt::format("expected a MAC address like 02:00:00:00:00:01, not {}", yaml::describe(field.node())));
    return false;
  }
  out = *mac;
  return true;
}

}  // namespace maglb
