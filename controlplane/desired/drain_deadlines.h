// Since when backends are in drain, and when their time is up. Pure; wall time is passed in, because a
// deadline outlives the process: the caller keeps the rows that follow() and advance() name.
//
// A backend is in drain when the operator says so; one that leaves that state is forgotten, and begins anew
// the next time. A longer drain_timeout moves a deadline that has passed back into the future.
//
// Threads: the caller's one.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <vector>

#include "controlplane/desired/verdicts.h"
#include "controlplane/store/store.h"
#include "lib/config/service/model.h"

namespace maglb {

class DrainDeadlines {
 public:
  using Wall = std::chrono::system_clock::time_point;

  struct Drain {
    Wall began{};
    std::optional<Wall> deadline;  // nothing: it has no end of its own
    DrainEnd end = DrainEnd::kLeave;
    bool passed = false;  // the deadline, and advance() has said so
  };

  struct Change {
    std::vector<BackendKey> began;
    std::vector<BackendKey> forgotten;
  };

  // What an earlier process kept; before the first follow().
  void remember(const StoredDrain& row);
  // Takes the configuration's drains. With `may_return` those that it ends are put aside, and named as
  // forgotten by the first call without, unless they are in drain again.
  Change follow(const ServiceConfig& config, Wall now, bool may_return = false);
  // The drains whose deadline has passed by `now` and that were not named before.
  std::vector<BackendKey> advance(Wall now);
  std::optional<Wall> next_deadline() const;

  // Null: not in drain.
  const Drain* find(const BackendKey& backend) const;
  // Its time is up, and then it is as down.
  bool is_closed(const BackendKey& backend) const;
  // As it is to be kept. REQUIRES: find(backend).
  StoredDrain row(const BackendKey& backend) const;

 private:
  std::map<BackendKey, Drain> drains_;
  std::map<BackendKey, Drain> aside_;
};

}  // namespace maglb
