// Which of several found lists there is room for: one that is too long keeps no other from being taken. Pure.
//
// All are tried together, then halves, the shorter lists first, down to single ones. Each try looks at the
// whole configuration, so that there are at most kMostTries of them; what was not reached is refused, too,
// and has its turn when it is tried again.
#pragma once

#include <functional>
#include <map>
#include <span>
#include <string>

#include "controlplane/desired/members.h"
#include "lib/base/error.h"

namespace maglb {

class RoomSearch {
 public:
  static constexpr int kMostTries = 24;

  // What fits at the start, and whether members would.
  RoomSearch(FoundMembers fitting, std::function<Result<void>(const FoundMembers&)> room_for);

  void add(const FoundMembers& lists);

  const FoundMembers& fitting() const { return fitting_; }
  // Why, by pool.
  const std::map<std::string, std::string>& refused() const { return refused_; }

 private:
  using List = FoundMembers::const_pointer;

  void add_some(std::span<const List> lists);

  FoundMembers fitting_;
  std::function<Result<void>(const FoundMembers&)> room_for_;
  std::map<std::string, std::string> refused_;
  int tries_left_ = kMostTries;
};

}  // namespace maglb
