// Who asks for a change and why, looked up while the process that asks is still there.
#pragma once

#include "controlplane/api/message.h"
#include "controlplane/api/target.h"
#include "controlplane/store/revisions.h"
#include "lib/base/error.h"

namespace maglb {

inline constexpr size_t kMaxReason = 1024;

// The names of the user (the machine's directory of users) and the program (/proc), where they are known.
Who who_is(const Peer& peer);

// With `reason` of the query; kInvalid when it is longer than kMaxReason.
Result<Author> author_of(const Peer& peer, const Target& target);
// The same with a reason from elsewhere.
Result<Author> author_of(const Peer& peer, const std::string& reason);

}  // namespace maglb
