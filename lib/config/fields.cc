#include "lib/config/fields.h"

#include <fmt/format.h>

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
  const std::string& text = field.node().text;
  const size_t slash = text.find('/');
  if (slash != std::string::npos && IpAddress::parse(std::string_view(text).substr(0, slash))) {
    field.problem("prefixes are not available in this version: expected one IP address");
    return false;
  }
  const auto address = IpAddress::parse(text);
  if (!address) {
    field.problem(fmt::format("expected an IP address, not {}", yaml::describe(field.node())));
    return false;
  }
  out = *address;
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
