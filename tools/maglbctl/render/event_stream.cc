#include "tools/maglbctl/render/event_stream.h"

namespace maglb::ctl {

bool EventStream::feed(std::string_view piece) {
  while (!piece.empty()) {
    const std::size_t end = piece.find('\n');
    line_ += piece.substr(0, end);
    if (line_.size() + data_.size() > kMaxEvent) {
      return false;
    }
    if (end == std::string_view::npos) {
      return true;
    }
    piece.remove_prefix(end + 1);
    take_line(line_);
    line_.clear();
  }
  return true;
}

void EventStream::take_line(std::string_view line) {
  if (line.empty()) {
    if (!name_.empty()) {
      take_(name_, data_);
    }
    name_.clear();
    data_.clear();
  } else if (line.starts_with("event: ")) {
    name_ = line.substr(7);
  } else if (line.starts_with("data: ")) {
    data_ += data_.empty() ? "" : "\n";
    data_ += line.substr(6);
  }
}

}  // namespace maglb::ctl
