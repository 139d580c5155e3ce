// Server-sent events (HTML Living Standard, 9.2.6) as maglb sends them: lines end with \n, a field's name is
// followed by ": ". Comments and fields that are not known are passed over.
//
// One thread.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace maglb::ctl {

class EventStream {
 public:
  // An event of ours is at most some KiB.
  static constexpr std::size_t kMaxEvent = std::size_t{1} << 20;
  using Take = std::function<void(const std::string& name, const std::string& data)>;

  explicit EventStream(Take take) : take_(std::move(take)) {}

  // The next piece as it came, cut anywhere. False when an event is larger than kMaxEvent.
  bool feed(std::string_view piece);

 private:
  void take_line(std::string_view line);

  Take take_;
  std::string line_;  // what has not ended yet
  std::string name_;
  std::string data_;
};

}  // namespace maglb::ctl
