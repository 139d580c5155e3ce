// The pool that serves while another has nobody healthy. Its backends are compiled into the other pool
// under names of their own: up while they serve, in drain otherwise, so that flows that they took live on
// when the pool is back, and the dataplane sees one pool. Pure.
//
// A fallback serves while its pool has no healthy backend that is wanted, is not in panic, and the fallback
// has one. Once it serves, it goes on while nobody is healthy in either: the table stays as it is (compile.h,
// invariant 2). Backends that were never judged end no fallback; a pool of nothing else begins none, and
// tries them. A fallback's own fallback is not asked.
#pragma once

#include <string>
#include <string_view>

#include "controlplane/desired/panic.h"
#include "lib/config/service/model.h"

namespace maglb {

// "sorry:s1": no backend of a document has such a name.
std::string fallback_name(std::string_view fallback, std::string_view backend);

// `served`: in the last table.
bool fallback_serves(const PoolCount& own, bool panic, const PoolCount& fallback, bool served);

// Appends the backends of `fallback` to `pool`: as they are while it serves, else in drain. They have no
// server ids there; their probes and their bounds of connections are those of `fallback`.
void add_fallback(PoolConfig& pool, const PoolConfig& fallback, bool serves);

}  // namespace maglb
