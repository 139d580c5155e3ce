#include "tools/maglbctl/render/render.h"

namespace maglb::ctl {

std::string render_json(const Json& answer) {
  return answer.dump(2, ' ', true, Json::error_handler_t::replace) + "\n";
}

}  // namespace maglb::ctl
