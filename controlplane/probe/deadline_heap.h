// When to look at each of many things next: a binary heap of deadlines in which a thing's deadline can
// be moved, so that ten thousand probes need one timer.
//
// Each item lies in the heap at most once and knows where (`heap_place`), so moving or removing it
// costs O(log n) and leaves nothing stale behind. Items are borrowed. One thread.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "lib/base/check.h"
#include "lib/base/clock.h"

namespace maglb {

// Item: has a member `size_t heap_place`, kNotInHeap at first, that is the heap's alone.
inline constexpr size_t kNotInHeap = static_cast<size_t>(-1);

template <typename Item>
class DeadlineHeap {
 public:
  bool empty() const { return entries_.empty(); }
  size_t size() const { return entries_.size(); }
  // The earliest. REQUIRES: !empty().
  Time deadline() const { return entries_.front().deadline; }
  Item& top() const { return *entries_.front().item; }

  // Adds the item or moves its deadline.
  void set(Item& item, Time deadline) {
    if (item.heap_place == kNotInHeap) {
      item.heap_place = entries_.size();
      entries_.push_back({deadline, &item});
    } else {
      entries_[item.heap_place].deadline = deadline;
    }
    settle(item.heap_place);
  }

  // Does nothing when the item is not there.
  void remove(Item& item) {
    const size_t place = std::exchange(item.heap_place, kNotInHeap);
    if (place == kNotInHeap) {
      return;
    }
    check(place < entries_.size() && entries_[place].item == &item, "an item of this heap");
    const Entry last = entries_.back();
    entries_.pop_back();
    if (place < entries_.size()) {
      put(place, last);
      settle(place);
    }
  }

 private:
  struct Entry {
    Time deadline;
    Item* item;
  };

  void put(size_t place, const Entry& entry) {
    entries_[place] = entry;
    entry.item->heap_place = place;
  }

  void settle(size_t place) {
    const Entry moving = entries_[place];
    while (place > 0 && moving.deadline < entries_[(place - 1) / 2].deadline) {
      put(place, entries_[(place - 1) / 2]);
      place = (place - 1) / 2;
    }
    while (true) {
      size_t child = 2 * place + 1;
      if (child + 1 < entries_.size() && entries_[child + 1].deadline < entries_[child].deadline) {
        ++child;
      }
      if (child >= entries_.size() || moving.deadline <= entries_[child].deadline) {
        break;
      }
      put(place, entries_[child]);
      place = child;
    }
    put(place, moving);
  }

  std::vector<Entry> entries_;
};

}  // namespace maglb
