#include "controlplane/desired/room_search.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace maglb {

RoomSearch::RoomSearch(FoundMembers fitting, std::function<Result<void>(const FoundMembers&)> room_for)
    : fitting_(std::move(fitting)), room_for_(std::move(room_for)) {}

void RoomSearch::add(const FoundMembers& lists) {
  std::vector<List> shortest_first;
  for (const auto& list : lists) {
    shortest_first.push_back(&list);
  }
  std::stable_sort(shortest_first.begin(), shortest_first.end(),
                   [](List a, List b) { return a->second.size() < b->second.size(); });
  add_some(shortest_first);
}

void RoomSearch::add_some(std::span<const List> lists) {
  FoundMembers next = fitting_;
  for (const List list : lists) {
    next[list->first] = list->second;
  }
  const Result<void> room =
      tries_left_-- > 0 ? room_for_(next) : fail(ErrorKind::kConflict, "too many lists have no room");
  if (room) {
    fitting_ = std::move(next);
    return;
  }
  if (lists.size() == 1 || tries_left_ <= 0) {
    for (const List list : lists) {
      refused_[list->first] = room.error().message;
    }
    return;
  }
  add_some(lists.first(lists.size() / 2));
  add_some(lists.subspan(lists.size() / 2));
}

}  // namespace maglb
