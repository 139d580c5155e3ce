// dataplane.yaml from anyone: it is refused with a place, or has at least what a dataplane needs.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "lib/base/check.h"
#include "lib/config/machine/device.h"
#include "lib/config/machine/parse.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto config = maglb::parse_machine_config(text, "fuzz.yaml");
  if (!config) {
    maglb::check(!config.error().empty(), "a refusal says why");
    return 0;
  }
  maglb::check(!config->worker_cores.empty() && !config->ports.empty(), "workers and ports");
  for (const maglb::PortConfig& port : config->ports) {
    maglb::check(maglb::parse_device(port.device).has_value(), "a device that was read is one");
  }
  return 0;
}
