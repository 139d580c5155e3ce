#include "lib/config/machine/device.h"

#include <fmt/format.h>

#include <algorithm>

namespace maglb {

namespace {

// [domain:]bus:device.function, hexadecimal.
bool is_pci_address(std::string_view text) {
  const std::string_view short_form = text.size() == 12 ? text.substr(5) : text;
  const std::string_view pattern = "xx:xx.x";
  const auto matches = [](char c, char p) {
    const bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    return p == 'x' ? hex : c == p;
  };
  const bool good_domain =
      text.size() != 12 || (text[4] == ':' && std::all_of(text.begin(), text.begin() + 4,
                                                          [&](char c) { return matches(c, 'x'); }));
  return good_domain && short_form.size() == pattern.size() &&
         std::equal(short_form.begin(), short_form.end(), pattern.begin(), matches);
}

// The value of `key` among "a=b,c=d".
std::string_view argument(std::string_view arguments, std::string_view key) {
  while (!arguments.empty()) {
    const std::string_view one = arguments.substr(0, arguments.find(','));
    if (one.size() > key.size() && one.substr(0, key.size()) == key && one[key.size()] == '=') {
      return one.substr(key.size() + 1);
    }
    arguments.remove_prefix(std::min(arguments.size(), one.size() + 1));
  }
  return {};
}

}  // namespace

Result<Device> parse_device(std::string_view text) {
  const size_t comma = text.find(',');
  Device device;
  device.name = text.substr(0, comma);
  device.arguments = comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
  const bool is_virtual =
      device.name.starts_with("net_") && device.name.size() > 4 && device.name.size() < 64 &&
      device.name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") ==
          std::string::npos;
  if ((!is_virtual && !is_pci_address(device.name)) || text.find_first_of(" \t") != std::string_view::npos) {
    return fail(ErrorKind::kInvalid,
                "expected a DPDK device like net_af_xdp0,iface=eth0 or a PCI address like 0000:03:00.0");
  }
  if (is_virtual) {
    device.driver = device.name.substr(0, device.name.find_last_not_of("0123456789") + 1);
    device.interface = argument(device.arguments, "iface");
  }
  if (device.driver == "net_af_xdp" && device.interface.empty()) {
    return fail(ErrorKind::kInvalid, fmt::format("expected an interface, as in {},iface=eth0", device.name));
  }
  if (device.interface.size() > 15) {
    return fail(ErrorKind::kInvalid,
                fmt::format("interface {} is longer than 15 characters", device.interface));
  }
  return device;
}

}  // namespace maglb
