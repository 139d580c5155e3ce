#include "controlplane/probe/target.h"

#include <fmt/format.h>

#include <tuple>

#include "lib/base/check.h"

namespace maglb {
namespace {

auto ordered(const ProbeTarget& target) {
  const ProbeConfig& c = target.config;
  return std::tie(target.address, target.port, c.type, c.port, c.path, c.host, c.status, c.interval,
                  c.timeout, c.rise, c.fall);
}

}  // namespace

ProbeTarget ProbeTarget::make(const IpAddress& address, uint16_t service_port, const ProbeConfig& config) {
  check(config.type != ProbeType::kNone, "a target is something to probe");
  ProbeTarget target{address, config.port != 0 ? config.port : service_port, config};
  target.config.port = 0;
  if (config.type == ProbeType::kTcp) {
    const ProbeConfig unused;
    target.config.path = unused.path;
    target.config.host = unused.host;
    target.config.status = unused.status;
  }
  return target;
}

std::string ProbeTarget::to_string() const {
  const std::string host = address.is_v4() ? address.to_string() : "[" + address.to_string() + "]";
  if (config.type == ProbeType::kHttp) {
    return fmt::format("http {}:{}{}", host, port, config.path);
  }
  return fmt::format("tcp {}:{}", host, port);
}

std::strong_ordering operator<=>(const ProbeTarget& a, const ProbeTarget& b) {
  return ordered(a) <=> ordered(b);
}

}  // namespace maglb
