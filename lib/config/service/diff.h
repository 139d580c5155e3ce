// What two configurations have otherwise, as data and as lines for people: for `config diff`, dry runs and
// the history of revisions. And what one thing has otherwise than one of its kind with nothing said.
//
// Invariants of what diff() returns:
//   1. It is empty if and only if the configurations are alike but for the order of things, and of prefixes
//      and server ids in their lists.
//   2. It is sorted by path, and does not depend on the order of pools, backends and services.
//   3. A thing that is in one of them only (a pool, a backend, a service) is one entry, without entries for
//      what is in it. A pool's entry has the number of its backends only.
//
// Threads: none; functions of their arguments.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "lib/config/service/model.h"

namespace maglb {

struct ConfigChange {
  std::string path;                   // "pools.web.backends.web3.weight"; a name with dots is in quotes
  std::optional<std::string> before;  // as the file writes it; nothing: it was not there
  std::optional<std::string> after;   // nothing: it is not there any more
  friend bool operator==(const ConfigChange&, const ConfigChange&) = default;
};

// REQUIRES: both keep the promises of model.h.
std::vector<ConfigChange> diff(const ServiceConfig& before, const ServiceConfig& after);

// "~ pools.web.backends.web3.weight: 100 -> 50", "+ services.dns: {...}", "- pools.old: {...}". A long value
// is cut short.
std::string describe(const ConfigChange& change);

// Every option that is not as it would be without being said, by its key in the file ("mss",
// "timeouts.udp", "health.via") and as the file writes it; prefixes of a list stand behind one another.
std::map<std::string, std::string> options_said(const PoolConfig& pool);
std::map<std::string, std::string> options_said(const ServiceEntry& service);

}  // namespace maglb
