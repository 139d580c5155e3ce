// The frames of maglbctl top: what changed between two samples of the API, as rates per second.
//
// Pure functions: two samples in, text out. A counter that is missing, that only one sample has, or that
// ran backwards (the dataplane started anew) has no rate and shows "-". Lines hold no control codes but
// the colours of table.h.
#pragma once

#include <cstddef>

#include "tools/maglbctl/render/render.h"
#include "tools/maglbctl/render/screen.h"

namespace maglb::ctl {

// The answers of GET /v1/status, /v1/stats, /v1/services and /v1/backends, asked for at one time.
struct TopSample {
  double seconds = 0;  // of a clock that only goes forward
  Json status;
  Json stats;
  Json services;
  Json backends;
};

enum class TopSort { kPackets, kBytes, kNewFlows, kName };
inline constexpr std::size_t kTopSorts = 4;
// "packets", "bytes", "new-flows", "name".
const char* to_string(TopSort sort);
TopSort next(TopSort sort);

// Fails when an answer is no such object. With samples of the same time every rate is "-".
Result<Frame> render_top(const TopSample& before, const TopSample& now, TopSort sort, bool colour);

}  // namespace maglb::ctl
