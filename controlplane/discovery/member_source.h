// Where the members of one pool come from: a file, DNS or etcd, watched while maglb runs.
//
// A source tells the whole list each time, and an error in words when it cannot tell. What becomes of that is
// not its business: discovery.h keeps the members through errors and writes events.
//
// Invariants:
//   1. The listener is never called from inside start() or stop(), and never after stop().
//   2. A list has at most kMaxPoolBackends members, each address once, sorted by name; every name is one that
//      a backend may have (lib/base/name.h), and no two are alike.
//   3. A source goes on trying for ever; the same error may be told at each attempt.
//   4. It reads at most kMaxSourceBytes of what others wrote, and holds no more than that at a time.
//
// Threads: the io_context's one. Nothing here blocks it but the reading of a local file.
#pragma once

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "lib/base/error.h"
#include "lib/config/service/model.h"

namespace maglb {

inline constexpr size_t kMaxSourceBytes = 16 * 1024 * 1024;

using Members = std::vector<BackendConfig>;

// What a source says at one time.
struct Found {
  Members members;
  std::string complaint;  // about what was left out of the list; empty: nothing was
};

class MemberSource {
 public:
  using Listener = std::function<void(Result<Found>)>;

  virtual ~MemberSource() = default;
  virtual void start() = 0;
  virtual void stop() = 0;
};

// Stops with its last owner. REQUIRES: the type is not kStatic, and the config keeps the promises of model.h.
std::shared_ptr<MemberSource> make_source(boost::asio::io_context& io, const BackendSource& config,
                                          MemberSource::Listener listener);

}  // namespace maglb
