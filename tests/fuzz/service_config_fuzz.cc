// maglb.yaml from anyone: it is refused with a place, or it is a config that keeps the model's
// promises and that reads back the same when it is written.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "lib/base/check.h"
#include "lib/config/service/parse.h"
#include "lib/config/service/validate.h"
#include "lib/config/service/write.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto config = maglb::parse_service_config(text, "fuzz.yaml");
  if (!config) {
    maglb::check(!config.error().empty(), "a refusal says why");
    return 0;
  }
  maglb::check(maglb::validate(*config).has_value(), "what was parsed is valid");
  const auto back = maglb::parse_service_config(maglb::write_service_config(*config), "written.yaml");
  maglb::check(back.has_value() && *back == *config, "what is written reads back the same");
  return 0;
}
